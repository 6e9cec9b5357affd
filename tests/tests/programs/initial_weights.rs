//! Encoders that start from a file.

use selfsame_tests::{Sandbox, TINY};
use serde_json::Value;
use std::path::Path;

fn record(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).unwrap()).unwrap()
}

#[test]
fn a_run_starts_where_the_file_ends_and_its_continuation_does_not_need_it() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir first")).succeeded();
    let weights = sandbox.path("given.safetensors");
    std::fs::copy(sandbox.path("first/encoder.safetensors"), &weights).unwrap();

    let second = format!("train {TINY} --set train.self_supervision.init=given.safetensors --output-dir second");
    let ran = sandbox.run(&format!("{second} --set scheduler.epochs=1")).succeeded();
    assert!(ran.stderr.contains("given.safetensors"), "{}", ran.stderr);
    let (first, second_record) = (record(&sandbox.path("first")), record(&sandbox.path("second")));
    let mut compared = 0;
    for (name, value) in first["metrics"].as_object().unwrap() {
        // What the closing measurement finds in the first run, the opening one finds in the second.
        if let Some(opening) = second_record["metrics"].get(format!("untrained/{name}")) {
            assert_eq!(opening, value, "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 2, "{first} {second_record}");
    assert_eq!(first.get("init"), None);
    assert_eq!(second_record["init"]["path"], "given.safetensors");
    assert_eq!(second_record["init"]["sha256"].as_str().unwrap().len(), 64);

    std::fs::remove_file(&weights).unwrap();
    sandbox.run(&format!("{second} --set scheduler.epochs=2 --resume")).succeeded();
    assert_eq!(record(&sandbox.path("second"))["init"], second_record["init"]);
}

#[test]
fn weights_that_do_not_fit_end_the_run_before_it_begins() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir first")).succeeded();
    let train = |encoder: &str, file: &str, folder: &str| {
        let init = format!("--set train.self_supervision.init={file}");
        let encoder = format!("--set train.self_supervision.encoder_name={encoder}");
        sandbox.run(&format!("train {TINY} {encoder} {init} --output-dir {folder}"))
    };
    let file = "first/encoder.safetensors";
    train("resnet20", file, "a").failed(2, &[file, "it lacks", "layer1.1.conv1.weight", "encoder_name"]);
    train("resnet8", "absent.safetensors", "b").failed(3, &["absent.safetensors", "train.self_supervision.init"]);
    std::fs::write(sandbox.path("old.pth"), b"PK\x03\x04...").unwrap();
    train("resnet8", "old.pth", "c").failed(3, &["old.pth", "python -c", "old.safetensors"]);
    for folder in ["a", "b", "c"] {
        assert!(!sandbox.path(folder).join("metrics.jsonl").exists(), "{folder}");
    }
}
