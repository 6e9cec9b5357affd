//! Images of unequal sizes, decoded once; what is in a data set, and what cannot be read.

use selfsame_tests::{Ran, Sandbox, test_plugin};
use std::time::{Duration, Instant};

/// A short run on the stripes of `tests/plugins/uneven`.
const STRIPES: &str = "--plugins own --set dataset.name=uneven --set dataset.dataset_dir=stripes";
const SHORT: &str = "--set train.self_supervision.encoder_name=resnet8 --set train.batch_size=8 --set scheduler.epochs=1 \
                     --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 --set train.device=cpu \
                     --set preprocess.resize=16 --set knn.k=3";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("own")).unwrap();
    std::fs::create_dir(sandbox.path("stripes")).unwrap();
    std::os::unix::fs::symlink(test_plugin("uneven"), sandbox.path("own/libuneven.so")).unwrap();
    sandbox
}

fn train(sandbox: &Sandbox, name: &str, arguments: &str) -> Ran {
    sandbox.run(&format!("train {STRIPES} {SHORT} {arguments} --output-dir {name}"))
}

fn weights(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    std::fs::read(sandbox.path(name).join("encoder.safetensors")).unwrap()
}

/// How often the plugin was asked for images since the last call.
fn reads(sandbox: &Sandbox) -> usize {
    let log = sandbox.path("stripes/reads.log");
    let count = std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
    let _ = std::fs::remove_file(log);
    count
}

#[test]
fn a_second_run_decodes_nothing_and_disk_and_memory_train_alike() {
    let sandbox = sandbox();
    train(&sandbox, "first", "").succeeded();
    assert!(reads(&sandbox) > 0);
    train(&sandbox, "second", "").succeeded();
    assert_eq!(reads(&sandbox), 0);
    train(&sandbox, "third", "--set data.cache=disk").succeeded();
    assert_eq!(reads(&sandbox), 0);
    assert_eq!(weights(&sandbox, "first"), weights(&sandbox, "second"));
    assert_eq!(weights(&sandbox, "first"), weights(&sandbox, "third"));
    assert_eq!(std::fs::read_dir(sandbox.path("cache/selfsame/packed")).unwrap().count(), 1);
    let listed = sandbox.run(&format!("data cache list {STRIPES}")).succeeded();
    assert!(listed.stdout.contains("uneven train, reduced to 32 pixels"), "{}", listed.stdout);
    std::fs::write(sandbox.path("cache/selfsame/packed/mine"), "a file of the user's").unwrap();
    sandbox.run(&format!("data cache clear {STRIPES}")).succeeded();
    assert_eq!(std::fs::read_dir(sandbox.path("cache/selfsame/packed")).unwrap().count(), 1, "only the user's file");
    // Other files, other pixels.
    train(&sandbox, "fourth", "--set dataset.options.version=2 --set data.cache_dir=elsewhere").succeeded();
    assert!(reads(&sandbox) > 0);
    assert_eq!(std::fs::read_dir(sandbox.path("elsewhere")).unwrap().count(), 1);
}

#[test]
fn a_run_that_was_killed_while_decoding_goes_on() {
    let sandbox = sandbox();
    let slow = "--set dataset.options.count=200 --set dataset.options.delay_ms=10";
    let mut child = sandbox.start(&format!("train {STRIPES} {SHORT} {slow} --output-dir killed"));
    let started = Instant::now();
    let stored = || {
        let entries = std::fs::read_dir(sandbox.path("cache/selfsame/packed")).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some(entry.path().join("index.bin").metadata().ok()?.len())).sum::<u64>()
    };
    while stored() == 0 {
        assert!(started.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = train(&sandbox, "after", slow).succeeded();
    assert!(ran.stderr.contains("are decoded already"), "{}", ran.stderr);
}

#[test]
fn a_damaged_sample_stops_the_run_or_is_left_out_and_listed() {
    let sandbox = sandbox();
    let bad = "--set dataset.options.bad=[3,7]";
    train(&sandbox, "stopped", bad).failed(3, &["train/003.img", "cut off after 12 bytes", "data.on_error=skip"]);
    let ran = train(&sandbox, "skipped", &format!("{bad} --set data.on_error=skip")).succeeded();
    assert!(ran.stderr.contains("cannot be read and are left out"), "{}", ran.stderr);
    let list = std::fs::read_to_string(sandbox.path("skipped/damaged.json")).unwrap();
    assert!(list.contains("train/003.img") && list.contains("train/007.img") && list.contains("panicked"), "{list}");
    // A run cannot go on with other samples than it began with.
    reads(&sandbox);
    std::fs::write(sandbox.path("skipped/damaged.json"), "{}").unwrap();
    let more = "--set data.on_error=skip --set scheduler.epochs=2 --resume";
    train(&sandbox, "skipped", &format!("{bad} {more}")).failed(3, &["damaged.json", "--output-dir"]);
    // What a start that came to nothing left out is no part of the run that followed.
    std::fs::create_dir(sandbox.path("again")).unwrap();
    sandbox.write("again/damaged.json", r#"{"train": [{"index": 3, "id": "train/003.img", "reason": "cut off"}]}"#);
    train(&sandbox, "again", "").succeeded();
    train(&sandbox, "again", "--set scheduler.epochs=2 --resume").succeeded();
}

#[test]
fn verify_lists_what_cannot_be_read_and_why() {
    let sandbox = sandbox();
    let ran = sandbox.run(&format!("data verify {STRIPES}")).succeeded();
    assert!(ran.stdout.contains("train") && ran.stdout.contains("48"), "{}", ran.stdout);
    let ran = sandbox.run(&format!("data verify {STRIPES} --set dataset.options.bad=[3,7]"));
    for line in ["train/003.img", "cut off after 12 bytes", "train/007.img", "a decoder's own mistake"] {
        assert!(ran.stdout.contains(line), "`{line}` is not in:\n{}", ran.stdout);
    }
    ran.failed(3, &["2 of 64 samples", "data.on_error=skip"]);
}

#[test]
fn stats_describe_a_data_set() {
    let sandbox = sandbox();
    let stats = format!("data stats {STRIPES} --set dataset.options.leak=true");
    let ran = sandbox.run(&stats).succeeded();
    for word in ["24 / 38 / 52", "upright", "24 (50.0 %)", "codec", "LEAK", "test/000.img; train: train/000.img"] {
        assert!(ran.stdout.contains(word), "`{word}` is not in:\n{}", ran.stdout);
    }
    let ran = sandbox.run(&format!("{stats} --json")).succeeded();
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let json = &json["data_sets"][0];
    let train = &json["splits"]["train"];
    assert_eq!(train["samples"], 48);
    assert_eq!(train["labels"], serde_json::json!([["level", 24], ["upright", 24]]));
    assert_eq!(train["groups"], serde_json::json!({"count": 12, "largest": 4}));
    assert_eq!(train["facts"]["codec"], serde_json::json!({"packed": 32, "plain": 16}));
    assert_eq!(json["leaks"], serde_json::json!([{"test": ["test/000.img"], "train": ["train/000.img"]}]));
    let (mean, std) = moments();
    assert!((train["mean"][0].as_f64().unwrap() - mean).abs() < 1e-9, "{} {mean}", train["mean"]);
    assert!((train["std"][0].as_f64().unwrap() - std).abs() < 1e-9, "{} {std}", train["std"]);
}

/// Mean and standard deviation of the training images' pixels, scaled to 0–1, by the plugin's formula.
fn moments() -> (f64, f64) {
    let mut values: Vec<f64> = Vec::new();
    for index in 0..48usize {
        let (height, width) = (24 + 7 * (index % 5), 24 + 5 * (index % 7));
        for at in 0..height * width {
            let along = if index % 2 == 0 { at / width } else { at % width };
            let value = (along + index) / 4 % 2 * 160 + at * (index + 3) % 64;
            values.push(value as f64 / 255.0);
        }
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt())
}
