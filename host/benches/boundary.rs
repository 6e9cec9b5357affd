//! What the plugin boundary costs: the same samples through a plugin and compiled in; and `read` of one index a call beside
//! sixteen.
//!
//! `cargo build --release -p selfsame-plain-plugin && cargo bench -p selfsame --bench boundary -- [--count 50000] [--workers 2]
//! [--rounds 7]` prints the median time of taking all samples into memory, and how much longer the plugin takes: the median of the
//! rounds, in each of which one comes right after the other, so that both have what else the machine does. docs/plugin-abi.md has
//! the figures.

#[path = "../../tests/plugins/plain/src/plain.rs"]
mod plain;

use selfsame::config::schema::{CachePlace, OnError};
use selfsame::data::Loader;
use selfsame::plugin::{Registry, SearchDir};
use selfsame_plugin_api::{Cancelled, Card, Dataset, DatasetRequest, Samples, Services, Split};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tch::Device;

fn main() {
    selfsame::cli::restart_prepared();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let option = |name: &str| Some(arguments[arguments.iter().position(|argument| argument == name)? + 1].clone());
    let number = |name: &str, default: usize| option(name).map_or(default, |value| value.parse().expect(name));
    let (count, workers, rounds) = (number("--count", 50_000), number("--workers", 2), number("--rounds", 7));

    let target = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.parent()?.to_owned()));
    let registry = Registry::scan(&[SearchDir::new(target.expect("a target folder"), "the benchmark")]);
    let open = |kind: &str, count: usize, from_plugin: bool| {
        let request = DatasetRequest {
            name: "plain".into(),
            dataset_dir: None,
            cache_dir: "unused".into(),
            options: serde_json::json!({ "kind": kind, "count": count }),
        };
        let dataset = match from_plugin {
            true => registry.create_dataset(&request).expect("the plugin"),
            false => plain::create(&request).expect("a data set"),
        };
        Opened::of(dataset.as_ref())
    };
    println!("{count} samples of 3 × 32 × 32, {workers} workers, median of {rounds} rounds");
    for kind in ["block", "stored", "drawn", "rows"] {
        let (built_in, plugin) = (open(kind, count, false), open(kind, count, true));
        let [own, other, more] = medians(rounds, [&|| built_in.load(workers), &|| plugin.load(workers)]);
        println!("{kind:<8} compiled in {own:7.3} s   plugin {other:7.3} s   {more:+6.1} %");
    }
    println!("read of 16 indices a call beside one, through the plugin");
    for (kind, count) in [("stored", count), ("rows", count), ("film", 64)] {
        let plugin = open(kind, count, true);
        let [one, many, more] = medians(rounds, [&|| plugin.read(workers, 1), &|| plugin.read(workers, 16)]);
        println!("{kind:<8} one {one:7.3} s   sixteen {many:7.3} s   {more:+6.1} %");
    }
}

/// Median seconds of each, and the median of how many per cent the second takes longer; rounds go in turn.
fn medians(rounds: usize, bodies: [&dyn Fn(); 2]) -> [f64; 3] {
    let mut taken = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=rounds {
        let seconds = bodies.map(|body| {
            let start = Instant::now();
            body();
            start.elapsed().as_secs_f64()
        });
        // The first round finds pages and caches cold.
        if round > 0 {
            let longer = 100.0 * (seconds[1] / seconds[0] - 1.0);
            for (all, one) in taken.iter_mut().zip([seconds[0], seconds[1], longer]) {
                all.push(one);
            }
        }
    }
    taken.map(|mut all| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    })
}

struct Opened {
    card: Card,
    samples: Arc<dyn Samples>,
}

impl Opened {
    fn of(dataset: &dyn Dataset) -> Self {
        dataset.prepare(&Silent).expect("nothing to prepare");
        let card = dataset.card().expect("a card").unwrap_or_else(|| plain::card("plain"));
        Self { card, samples: dataset.open(Split::Train).expect("a training split").into() }
    }

    /// Takes all samples into memory, as a run does.
    fn load(&self, workers: usize) {
        let loader = Loader {
            card: &self.card,
            side: None,
            cache_dir: "unused".into(),
            place: CachePlace::Host,
            device: Device::Cpu,
            on_error: OnError::Stop,
            workers,
            services: &Silent,
        };
        let indices: Vec<usize> = (0..self.samples.len()).collect();
        loader.load(Split::Train, &self.samples, &indices, &[]).expect("images");
    }

    /// Reads all samples, `at_once` a call; threads take sixteen after sixteen.
    fn read(&self, workers: usize, at_once: usize) {
        let indices: Vec<usize> = (0..self.samples.len()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(chunk) = indices.chunks(16).nth(next.fetch_add(1, Ordering::Relaxed)) {
                for call in chunk.chunks(at_once) {
                    assert_eq!(self.samples.read(call).expect("images").len(), call.len());
                }
            }
        };
        std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    }
}

struct Silent;

impl Services for Silent {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}
