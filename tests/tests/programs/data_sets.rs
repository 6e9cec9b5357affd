//! Several data sets in one run: a head on another one than the encoder's, unlabelled images, and mixtures.

use selfsame_tests::{Ran, Sandbox, metrics};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// A run of a second on 64 images, with the sections that a test adds.
fn config(dataset: &str, more: &str) -> String {
    format!(
        "dataset:\n  name: shapes\n{dataset}\
         data:\n  limit: {{val: 20}}\n\
         train:\n  batch_size: 16\n  device: cpu\n  self_supervision: {{encoder_name: resnet8}}\n\
         scheduler: {{epochs: 2}}\n\
         method:\n  projection: {{hidden_dim: 16, output_dim: 8}}\n\
         knn: {{k: 5}}\n{more}"
    )
}

const LABELLED: &str = "  options: {train_size: 64}\n";
const UNLABELLED: &str = "  options: {train_size: 64, labels: false}\n";
/// A head on other shapes than the encoder's, of another number.
const OWN_HEAD: &str =
    "linear_head:\n  batch_size: 7\n  dataset:\n    name: shapes\n    options: {train_size: 40, seed: 9}\n";

fn train(sandbox: &Sandbox, yaml: &str, more: &str) -> Ran {
    sandbox.write("run.yaml", yaml);
    sandbox.run(&format!("train --config run.yaml --output-dir run {more}"))
}

fn record(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&std::fs::read_to_string(sandbox.path("run/run.json")).unwrap()).unwrap()
}

fn steps(sandbox: &Sandbox) -> u64 {
    metrics(&sandbox.path("run")).iter().filter_map(|line| line["step"].as_u64()).max().unwrap()
}

#[test]
fn the_encoders_data_sets_the_length_of_an_epoch_whichever_is_longer() {
    // 64 images at 16 are 4 steps an epoch; the head has 10 or 300 images.
    for head_size in [10, 300] {
        let sandbox = Sandbox::new();
        let head = OWN_HEAD.replace("train_size: 40", &format!("train_size: {head_size}"));
        train(&sandbox, &config(LABELLED, &head), "").succeeded();
        assert_eq!(steps(&sandbox), 8, "with {head_size} images for the head");
    }
}

#[test]
fn a_data_set_named_for_its_labels_must_have_some() {
    let sandbox = Sandbox::new();
    let unlabelled = OWN_HEAD.replace("seed: 9", "labels: false");
    train(&sandbox, &config(LABELLED, &unlabelled), "").failed(2, &["linear_head.dataset.name", "no labels"]);
    let balanced = "--set train.self_supervision.use_balanced_binary_loss_for_linear_head=true";
    train(&sandbox, &config(UNLABELLED, ""), balanced).failed(2, &["use_balanced_binary_loss_for_linear_head"]);
}

#[test]
fn a_head_on_its_own_data_set_is_scored_there_and_named() {
    let sandbox = Sandbox::new();
    let ran = train(&sandbox, &config(UNLABELLED, OWN_HEAD), "").succeeded();
    assert!(ran.stdout.contains("Scored on 20 val images of shapes; the encoder learned from"), "{}", ran.stdout);
    let lines = metrics(&sandbox.path("run"));
    let last = &lines.iter().rev().find(|line| line["event"] == "epoch").unwrap()["metrics"];
    for name in ["ssl/val/loss", "online/train/accuracy", "online/val/accuracy", "knn/val/accuracy"] {
        assert!(last[name].is_f64(), "{name} in {last}");
    }
    let record = record(&sandbox);
    for name in ["untrained/linear/val/accuracy", "linear/val/accuracy"] {
        assert!(record["metrics"][name].is_f64(), "{name} in {record}");
    }
    let sets = &record["data_sets"];
    assert_eq!(sets[0]["images_per_epoch"], 64, "{sets}");
    assert_eq!(sets[1]["split_sizes"], serde_json::json!({"train": 40, "val": 20}), "{sets}");
    assert_eq!((&sets[0]["probed"], &sets[1]["probed"]), (&Value::Bool(false), &Value::Bool(true)), "{sets}");
}

#[test]
fn the_heads_data_set_leaves_the_encoder_as_it_is() {
    let weights = |more: &str| {
        let sandbox = Sandbox::new();
        train(&sandbox, &config(LABELLED, more), "").succeeded();
        std::fs::read(sandbox.path("run/encoder.safetensors")).unwrap()
    };
    assert_eq!(weights(""), weights(OWN_HEAD));
}

#[test]
fn images_without_labels_are_learned_from_without_probes() {
    let sandbox = Sandbox::new();
    train(&sandbox, &config(UNLABELLED, ""), "").succeeded();
    let lines = metrics(&sandbox.path("run"));
    let last = &lines.iter().rev().find(|line| line["event"] == "epoch").unwrap()["metrics"];
    assert!(last["ssl/val/loss"].is_f64() && last["features/std"].is_f64(), "{last}");
    assert!(
        last.as_object().unwrap().keys().all(|name| !name.starts_with("online") && !name.starts_with("knn")),
        "{last}"
    );
}

/// The newest checkpoint's folder.
fn newest(sandbox: &Sandbox) -> Option<PathBuf> {
    let entries = std::fs::read_dir(sandbox.path("run/checkpoints")).ok()?;
    let steps = entries.flatten().map(|entry| entry.path());
    steps.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-"))).max()
}

#[test]
fn a_killed_run_with_a_mixture_and_a_head_of_its_own_continues_exactly() {
    // 24 steps an epoch, so that the run is killed within one.
    let mix = "  weight: 1\n  mix:\n    - {name: shapes, options: {train_size: 32, seed: 4}, weight: 3}\n";
    let yaml = config(&format!("{LABELLED}{mix}"), OWN_HEAD).replace("batch_size: 16", "batch_size: 4");
    let every = "--set train.checkpoint_every_steps=1";
    let finished = |kill: bool| {
        let sandbox = Sandbox::new();
        if kill {
            sandbox.write("run.yaml", &yaml);
            let mut child = sandbox.start(&format!("train --config run.yaml --output-dir run {every}"));
            while newest(&sandbox).is_none_or(|path| path < sandbox.path("run/checkpoints/step-00000003")) {
                assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
                std::thread::sleep(Duration::from_millis(5));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(newest(&sandbox).unwrap() < sandbox.path("run/checkpoints/step-00000048"));
            let resumed = train(&sandbox, &yaml, &format!("{every} --resume")).succeeded();
            assert!(resumed.stderr.contains("continuing after step"), "{}", resumed.stderr);
        } else {
            train(&sandbox, &yaml, every).succeeded();
        }
        let checkpoint = newest(&sandbox).unwrap();
        assert!(checkpoint.ends_with("step-00000048"), "{}", checkpoint.display());
        let read = |group: &str| std::fs::read(checkpoint.join(format!("{group}.safetensors"))).unwrap();
        let lines = metrics(&sandbox.path("run")).into_iter().filter(|line| line["event"] == "epoch");
        let epochs: Vec<Value> = lines.map(|line| line["metrics"].clone()).collect();
        assert_eq!(epochs.len(), 2);
        (["model", "head", "head-optimizer"].map(read), epochs)
    };
    assert_eq!(finished(false), finished(true));
}

#[test]
fn a_mixture_holds_every_image_once_or_by_weight() {
    let mixed = |weights: [&str; 2]| {
        let sandbox = Sandbox::new();
        let dataset = format!(
            "{LABELLED}{}  mix:\n    - name: shapes\n      options: {{train_size: 32, seed: 4, size: 48}}\n{}",
            weights[0], weights[1]
        );
        train(&sandbox, &config(&dataset, "preprocess: {resize: 32}\n"), "").succeeded();
        assert_eq!(steps(&sandbox), 12);
        let record = record(&sandbox);
        assert_eq!(record["split_sizes"], serde_json::json!({"train": 96, "val": 40}));
        assert_eq!(record["data_sets"][0]["probed"], true);
        assert!(record["metrics"]["online/val/accuracy"].is_f64(), "{record}");
        record["data_sets"].as_array().unwrap().iter().map(|set| set["images_per_epoch"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(mixed(["", ""]), [64, 32]);
    assert_eq!(mixed(["  weight: 1\n", "      weight: 3\n"]), [24, 72]);
}

#[test]
fn data_sets_that_do_not_go_together_are_refused() {
    let refused = |dataset: &str, more: &str, parts: &[&str]| {
        let sandbox = Sandbox::new();
        train(&sandbox, &config(&format!("{LABELLED}{dataset}"), more), "").failed(2, parts);
    };
    let larger = "  mix: [{name: shapes, options: {size: 48, train_size: 20}}]\n";
    refused(larger, "", &["dataset.mix", "48×48", "32×32", "preprocess.resize"]);
    refused("  mix: [{name: shapes, weight: 2}]\n", "", &["dataset.mix", "1 weights for 2 data sets", "run.yaml:4"]);
    refused("  mix: [{name: shapes, weight: 0}]\n", "", &["dataset.mix.0.weight", "0", "above 0", "run.yaml:4"]);
    refused("  mix: [{options: {size: 48}}]\n", "", &["dataset.mix.0.name", "run.yaml:4"]);
    refused("  mix: [{name: shapes, wieght: 2}]\n", "", &["wieght", "dataset.mix.0.weight", "run.yaml:4"]);
    refused("  mix: shapes\n", "", &["dataset.mix", "a list of sections"]);
    refused("  weight: 2\n", "", &["dataset.weight", "dataset.mix", "run.yaml:4"]);
    refused("  mix: [{name: nowhere}]\n", "", &["nowhere"]);

    let own = |options: &str| format!("linear_head:\n  dataset: {{name: shapes, options: {{{options}}}}}\n");
    refused("", &own("size: 48, train_size: 20"), &["linear_head.dataset.name", "48×48", "32×32", "preprocess.resize"]);
    refused("", "linear_head:\n  dataset: {options: {size: 48}}\n", &["linear_head.dataset.name"]);
    refused("", "linear_head:\n  dataset: {name: nowhere}\n", &["nowhere"]);
    refused("", "linear_head: {batch_size: 4}\n", &["linear_head.batch_size", "linear_head.dataset.name"]);
    let augmentation = "linear_head:\n  augmentation: {use_random_crop: false}\n";
    refused("", augmentation, &["linear_head.augmentation", "linear_head.dataset.name"]);
    let normalize = format!("{OWN_HEAD}  augmentation: {{normalize: imagenet}}\n");
    refused("", &normalize, &["linear_head.augmentation.normalize", "augmentation.normalize"]);
}
