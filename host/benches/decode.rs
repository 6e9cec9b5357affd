//! Decoding a folder of the form of `RSNAKaggle` into the packed cache, timed beside `peer_decode.py`.
//!
//! `cargo bench -p selfsame --bench decode -- FOLDER [--side 416] [--workers 2] [--rounds 5] [--python PYTHON]` prints films
//! per second of each round, in turn, and the median ratio. Without a Python that has pydicom and Pillow, only ours.
//! `cargo run --release -p selfsame-tests --example make_rsna -- FOLDER 200 1024` draws a folder.

use selfsame::config::schema::{CachePlace, OnError};
use selfsame::data::Loader;
use selfsame::plugin::{Registry, SearchDir};
use selfsame::samples;
use selfsame_plugin_api::{Cancelled, DatasetRequest, Samples, Services, Split};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use tch::Device;

fn main() {
    selfsame::cli::restart_prepared();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let option = |name: &str| Some(arguments[arguments.iter().position(|argument| argument == name)? + 1].clone());
    let number = |name: &str, default: usize| option(name).map_or(default, |value| value.parse().expect(name));
    let folder = arguments.first().expect("a folder with films");
    let (side, workers) = (number("--side", 416), number("--workers", 2));
    let python = option("--python");
    let mut ratios = Vec::new();
    for _ in 0..number("--rounds", 5) {
        let own = ours(folder, side, workers);
        let Some(python) = &python else {
            println!("selfsame {own:7.1}");
            continue;
        };
        let peers = ["pillow", "pylibjpeg"].map(|decoder| peer(python, folder, side, workers, decoder));
        println!("selfsame {own:7.1}   pydicom with pillow {:7.1}   with pylibjpeg {:7.1}", peers[0], peers[1]);
        ratios.push(own / peers[0].max(peers[1]));
    }
    ratios.sort_by(f64::total_cmp);
    if let Some(ratio) = ratios.get(ratios.len() / 2) {
        println!("ratio to the faster peer: {ratio:.2} (median)");
    }
}

/// Films per second of a first run's decoding.
fn ours(folder: &str, side: usize, workers: usize) -> f64 {
    let plugins = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.parent()?.join("plugins")));
    let registry = Registry::scan(&[SearchDir::new(plugins.expect("a folder of plugins"), "the benchmark")]);
    let cache = tempfile::tempdir().expect("a folder for the cache");
    let cache_dir = cache.path().to_path_buf();
    let request = DatasetRequest {
        name: "RSNAKaggle".into(),
        dataset_dir: Some(folder.into()),
        cache_dir: cache_dir.clone(),
        options: serde_json::json!({ "test_fraction": 0.0 }),
    };
    let (card, dataset) = samples::prepare(&request, &registry, &Silent).expect("a data set");
    let samples: Arc<dyn Samples> = dataset.open(Split::Train).expect("a training split").into();
    let loader = Loader {
        card: &card,
        side: Some(side),
        cache_dir,
        place: CachePlace::Disk,
        device: Device::Cpu,
        on_error: OnError::Stop,
        workers,
        services: &Silent,
    };
    let indices: Vec<usize> = (0..samples.len()).collect();
    let start = Instant::now();
    loader.load(Split::Train, &samples, &indices, &[]).expect("films");
    indices.len() as f64 / start.elapsed().as_secs_f64()
}

/// Films per second of the peer.
fn peer(python: &str, folder: &str, side: usize, workers: usize, decoder: &str) -> f64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer_decode.py");
    let mut command = Command::new(python);
    command.arg(script).args([folder, &side.to_string(), &workers.to_string(), decoder]);
    let output = command.output().expect("a Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("films per second")
}

struct Silent;

impl Services for Silent {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}
