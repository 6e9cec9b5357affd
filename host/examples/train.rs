//! Trains a small encoder on shapes that a plugin draws, and prints how it goes.
//!
//! `cargo run --release -p selfsame --example train -- FOLDER`, after `cargo xtask build`, leaves the run in FOLDER, as
//! `selfsame train --output-dir FOLDER` would.

use selfsame::config::{self, Recommended, Sources};
use selfsame::error::Error;
use selfsame::plugin::{Registry, SearchDir};
use selfsame::train::Run;
use selfsame::train::observer::{Observer, StepReport};
use selfsame::train::signals::Stop;
use selfsame::world::World;
use selfsame_plugin_api::{Cancelled, Services};
use std::collections::BTreeMap;

const SETTINGS: [&str; 7] = [
    "dataset.name=shapes",
    "dataset.options.train_size=128",
    "data.limit.val=32",
    "train.self_supervision.encoder_name=resnet8",
    "train.batch_size=32",
    "train.device=cpu",
    "scheduler.epochs=1",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("name a folder for the run")?;
    let plugins = std::env::current_exe()?.ancestors().nth(2).ok_or("no folder of plugins")?.join("plugins");
    let registry = Registry::scan(&[SearchDir::new(plugins, "this example")]);

    // What the data set recommends, its random views first of all, and what this program sets.
    let card = registry.dataset_card("shapes")?;
    let sources = Sources {
        recommended: vec![Recommended { origin: "data set shapes".into(), values: card.recommended }],
        sets: SETTINGS.map(String::from).into_iter().chain([format!("train.output_dir={folder}")]).collect(),
        ..Sources::default()
    };
    let config = config::load(&sources)?.config;

    let mut run = Run::open(&config, &registry, &Print, Stop::install()?, World::alone())?;
    let record = run.train(&mut Print)?;
    println!("done: {} epochs, kNN accuracy {:?}", record.epochs_done, record.metrics.get("knn/val/accuracy"));
    Ok(())
}

/// Tells on standard output what goes on.
struct Print;

impl Services for Print {
    fn progress(&self, what: &str, done: u64, _: Option<u64>) -> Result<(), Cancelled> {
        if done == 0 {
            println!("{what}");
        }
        Ok(())
    }
}

impl Observer for Print {
    fn step(&self, _: usize, within: usize) {
        println!("step {within}");
    }

    fn phase(&self, what: &str, done: usize, _: usize) {
        if done == 0 {
            println!("{what}");
        }
    }

    fn steps(&mut self, report: &StepReport) -> Result<(), Error> {
        println!("after step {}: loss {:.4}, {:.0} images a second", report.step, report.loss, report.images_per_s);
        Ok(())
    }

    fn epoch(&mut self, _: u64, epoch: usize, metrics: &BTreeMap<String, f64>) -> Result<(), Error> {
        println!("epoch {epoch}: {metrics:.3?}");
        Ok(())
    }

    fn trained(&mut self, _: u64, _: usize, metrics: &BTreeMap<String, f64>) -> Result<(), Error> {
        println!("trained: {metrics:.3?}");
        Ok(())
    }
}
