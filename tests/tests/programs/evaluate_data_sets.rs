//! What a run is evaluated on: the data set and the samples that its head and probes used.

use selfsame_tests::{Sandbox, test_plugin};
use serde_json::Value;

/// A run of one epoch; a quarter of the patients of a data set without a validation split is held out.
const SHORT: &str = "data: {on_error: skip, val_fraction: 0.25, limit: {val: 20, test: 30}}\n\
                     preprocess: {resize: 16}\n\
                     scheduler: {epochs: 1}\n\
                     method:\n  projection: {hidden_dim: 16, output_dim: 8}\n\
                     knn: {k: 3}\n";

fn trained(dataset: &str, batch_size: usize) -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("own")).unwrap();
    for name in ["uneven", "hostile"] {
        std::os::unix::fs::symlink(test_plugin(name), sandbox.path(&format!("own/lib{name}.so"))).unwrap();
    }
    let train =
        format!("train:\n  batch_size: {batch_size}\n  device: cpu\n  self_supervision: {{encoder_name: resnet8}}\n");
    sandbox.write("run.yaml", &format!("{dataset}{SHORT}{train}"));
    sandbox.run("train --plugins own --config run.yaml --output-dir run").succeeded();
    let record = std::fs::read_to_string(sandbox.path("run/run.json")).unwrap();
    (sandbox, serde_json::from_str(&record).unwrap())
}

fn knn(sandbox: &Sandbox, more: &str) -> Value {
    let ran = sandbox.run(&format!("evaluate run --plugins own --protocol knn --json {more}")).succeeded();
    serde_json::from_str::<Value>(&ran.stdout).unwrap()[0].clone()
}

/// The ids and embeddings of one split or all.
fn embedded(sandbox: &Sandbox, split: &str, more: &str) -> Vec<(Vec<String>, Vec<f32>)> {
    let name = format!("{split}{}", more.len());
    sandbox.run(&format!("embed run --plugins own --split {split} --out {name}.npy {more}")).succeeded();
    let npy = std::fs::read(sandbox.path(&format!("{name}.npy"))).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let numbers: Vec<f32> = npy[start..].chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let csv = std::fs::read_to_string(sandbox.path(&format!("{name}.csv"))).unwrap();
    let ids: Vec<Vec<String>> = csv.lines().skip(1).map(|line| line.split(',').map(String::from).collect()).collect();
    let length = numbers.len() / ids.len();
    assert_eq!(ids.len() * length, numbers.len());
    ids.into_iter().zip(numbers.chunks(length).map(<[f32]>::to_vec)).collect()
}

/// Mean over the dimensions of the standard deviation of rows of length 1, times √D.
fn spread(rows: &[(Vec<String>, Vec<f32>)]) -> f64 {
    let norm = |row: &[f32]| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let unit: Vec<Vec<f64>> =
        rows.iter().map(|(_, row)| row.iter().map(|x| f64::from(*x) / norm(row)).collect()).collect();
    let (n, dim) = (unit.len() as f64, unit[0].len());
    let deviation = |at: usize| {
        let mean = unit.iter().map(|row| row[at]).sum::<f64>() / n;
        (unit.iter().map(|row| (row[at] - mean).powi(2)).sum::<f64>() / n).sqrt()
    };
    (0..dim).map(deviation).sum::<f64>() / dim as f64 * (dim as f64).sqrt()
}

#[test]
fn the_heads_own_data_set_is_evaluated_as_the_run_saw_it_unless_another_is_named() {
    // The encoder's data set states mean 0.5 and deviation 0.25, the head's states nothing.
    let dataset = "dataset: {name: hostile}\n\
                   linear_head:\n  batch_size: 4\n  dataset: {name: uneven, options: {count: 64}}\n";
    let (sandbox, record) = trained(dataset, 2);
    assert_eq!(record["data_sets"][1]["split_sizes"], serde_json::json!({"train": 48, "val": 16}));
    let own = knn(&sandbox, "--split val");
    assert_eq!((&own["dataset"], &own["train_samples"]), (&Value::from("uneven"), &Value::from(48)));
    for score in ["accuracy", "auroc"] {
        assert_eq!(own["metrics"][score]["mean"], record["metrics"][format!("knn/val/{score}")], "{score}");
    }
    let (found, measured) = (spread(&embedded(&sandbox, "val", "")), record["metrics"]["features/std"].as_f64());
    assert!((found - measured.unwrap()).abs() < 1e-5, "found {found}, the run measured {measured:?}");

    assert_eq!(knn(&sandbox, "")["split"], "test");
    let named = knn(&sandbox, "--dataset hostile");
    assert_eq!((&named["dataset"], &named["samples"]), (&Value::from("hostile"), &Value::from(4)));
    assert_eq!(knn(&sandbox, "--dataset uneven")["train_samples"], 36, "the options are those of the data set named");
    // What the run was stays so, the options of the head's data set too.
    let fixed = "evaluate run --plugins own --set linear_head.dataset.name=hostile";
    sandbox.run(fixed).failed(2, &["linear_head.dataset"]);
}

#[test]
fn the_first_of_mixed_data_sets_is_evaluated() {
    let dataset = "dataset:\n  name: shapes\n  options: {train_size: 64}\n  weight: 1\n  \
                   mix: [{name: shapes, options: {train_size: 32, seed: 4, size: 48}, weight: 3}]\n";
    let (sandbox, record) = trained(dataset, 16);
    let result = knn(&sandbox, "--split val");
    assert_eq!((&result["train_samples"], &result["samples"]), (&Value::from(64), &Value::from(20)));
    assert_eq!(result["metrics"]["accuracy"]["mean"], record["metrics"]["knn/val/accuracy"]);
    assert_eq!(knn(&sandbox, "")["samples"], 30);
}

#[test]
fn samples_that_cannot_be_read_leave_labels_and_rows_in_line() {
    let bad = [3, 10, 21];
    let (sandbox, record) = trained("dataset: {name: uneven, options: {bad: [3, 10, 21]}}\n", 8);
    assert_eq!(knn(&sandbox, "--split val")["metrics"]["accuracy"]["mean"], record["metrics"]["knn/val/accuracy"]);

    let rows = embedded(&sandbox, "all", "");
    assert_eq!(rows.len(), 48 - bad.len() + 16);
    // The same files, all of them readable.
    let whole = embedded(&sandbox, "all", "--dataset uneven");
    assert_eq!(whole.len(), 64);
    for (id, row) in &rows {
        let number: usize = id[0].split(['/', '.']).nth(1).unwrap().parse().unwrap();
        assert!(id[0].starts_with("test/") || !bad.contains(&number), "{id:?}");
        assert_eq!(id[2], (number % 2).to_string(), "{id:?}");
        let (_, same) = whole.iter().find(|(other, _)| other[0] == id[0]).unwrap();
        assert!(row.iter().zip(same).all(|(a, b)| (a - b).abs() < 1e-4), "{id:?}");
    }
}
