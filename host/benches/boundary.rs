//! What the plugin boundary costs: the same samples through a plugin and compiled in; and `read` of one index a call beside
//! sixteen.
//!
//! `cargo build --release -p selfsame-plain-plugin && cargo bench -p selfsame --bench boundary -- [--count 50000] [--workers 2]
//! [--rounds 7]` prints the median time of taking all samples into memory, and how much more the plugin takes: of time, the
//! median of the rounds, in each of which one comes right after the other, so that both have what else the machine does; and of
//! the processor, all rounds together, which tells more on a busy machine. docs/plugin-abi.md has the figures.

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
        let Compared { seconds: [own, other], longer, more_work } =
            compare(rounds, [&|| built_in.load(workers), &|| plugin.load(workers)]);
        println!(
            "{kind:<8} compiled in {own:7.3} s   plugin {other:7.3} s   {longer:+6.1} %   processor {more_work:+6.1} %"
        );
    }
    println!("read of 16 indices a call beside one, through the plugin");
    for (kind, count) in [("stored", count), ("rows", count), ("film", 64)] {
        let plugin = open(kind, count, true);
        let Compared { seconds: [one, many], longer, more_work } =
            compare(rounds, [&|| plugin.read(workers, 1), &|| plugin.read(workers, 16)]);
        println!("{kind:<8} one {one:7.3} s   sixteen {many:7.3} s   {longer:+6.1} %   processor {more_work:+6.1} %");
    }
}

/// How two ways compare.
struct Compared {
    /// Median seconds of each.
    seconds: [f64; 2],
    /// Median of how many per cent longer the second takes.
    longer: f64,
    /// How many per cent more of the processor the second takes in all rounds.
    more_work: f64,
}

/// Runs both in turn.
fn compare(rounds: usize, bodies: [&dyn Fn(); 2]) -> Compared {
    let (mut seconds, mut longer, mut work) = ([Vec::new(), Vec::new()], Vec::new(), [0.0; 2]);
    for round in 0..=rounds {
        let mut taken = [0.0; 2];
        for (at, body) in bodies.iter().enumerate() {
            let (start, begun) = (Instant::now(), processor_seconds());
            body();
            taken[at] = start.elapsed().as_secs_f64();
            // The first round finds pages and caches cold.
            if round > 0 {
                seconds[at].push(taken[at]);
                work[at] += processor_seconds() - begun;
            }
        }
        if round > 0 {
            longer.push(100.0 * (taken[1] / taken[0] - 1.0));
        }
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let more_work = 100.0 * (work[1] / work[0] - 1.0);
    Compared { seconds: seconds.map(median), longer: median(longer), more_work }
}

/// What this process has had of the processor so far, to a hundredth: the fields 14 and 15 of proc(5)'s `stat`.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc/self/stat");
    let fields = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number of ticks")).sum::<f64>() / 100.0
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
