use super::{Quiet, registry};
use selfsame::config::{self, Config, Recommended, Sources};
use selfsame::run::folder::{LeftOut, RunFolder};
use selfsame::samples::data_set::{Compute, build_method};
use selfsame::samples::data_sets;
use selfsame::train::TrainError;
use selfsame::train::engine::Engine;
use selfsame::train::observer::{Observer, Pace};
use selfsame::train::signals::Stop;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Remembers what it is told.
#[derive(Default)]
struct Record {
    steps: RefCell<Vec<(usize, usize)>>,
    phases: RefCell<Vec<String>>,
    looks: usize,
}

impl Observer for Record {
    fn step(&self, epoch: usize, within: usize) {
        self.steps.borrow_mut().push((epoch, within));
    }

    fn phase(&self, what: &str, _: usize, _: usize) {
        self.phases.borrow_mut().push(what.to_owned());
    }

    fn steps(&mut self, _: &Pace) -> Result<(), TrainError> {
        self.looks += 1;
        Ok(())
    }

    fn epoch(&mut self, _: u64, _: usize, _: &BTreeMap<String, f64>) -> Result<(), TrainError> {
        Ok(())
    }

    fn trained(&mut self, _: u64, _: usize, _: &BTreeMap<String, f64>) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Four images in batches of two, with the small encoder of the same plugin.
fn configuration(cache: &std::path::Path) -> Config {
    let sets = [
        "dataset.name=hostile",
        "train.self_supervision.encoder_name=tiny",
        "train.batch_size=2",
        "train.device=cpu",
        "scheduler.epochs=2",
        "data.val_fraction=0",
        "knn.k=1",
        "method.projection.hidden_dim=4",
        "method.projection.output_dim=4",
    ];
    let sets =
        sets.iter().map(|set| (*set).to_owned()).chain([format!("data.cache_dir={}", cache.display())]).collect();
    let values = registry().dataset_card("hostile").unwrap().recommended;
    let recommended = vec![Recommended { origin: "data set hostile".into(), values }];
    config::load(&Sources { sets, recommended, ..Sources::default() }).unwrap().config
}

#[test]
fn whoever_watches_a_run_is_told_of_every_step_and_phase() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path());
    let compute = Compute::select(&config).unwrap();
    let data = data_sets::load(&config, registry(), &Quiet, compute.device, &LeftOut::new()).unwrap();
    let views = data_sets::views(&config, &data).unwrap();
    let (channels, size) = (views.encoder.output_channels(), views.encoder.output_size());
    let method = build_method(None, &config, registry(), channels, size, compute.device, false).unwrap();
    let run = RunFolder::open(&folder.path().join("run"), false).unwrap();
    let (checkpoints, stop) = (run.checkpoints().unwrap(), Stop::install().unwrap());
    let mut record = Record::default();
    let mut engine =
        Engine::new(&config, compute, &data, &views, method, None, checkpoints, &mut record, stop).unwrap();
    engine.run().unwrap();
    drop(engine);
    // Every step at once, while the loss waits for the end of the epoch.
    assert_eq!(record.steps.take(), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(record.looks, 2);
    let mut phases = record.phases.take();
    phases.dedup();
    let measured = ["embedding train images", "embedding test images", "nearest neighbours", "linear probe"];
    let saved = ["saving a checkpoint"; 1];
    assert_eq!(phases, [&measured[..], &saved, &measured].concat());
}
