//! Judging a trained encoder, and writing its embeddings.

use selfsame_tests::{Sandbox, TINY};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A sandbox with a run of one epoch in `run`.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    let quick = "--set scheduler.epochs=1 --set data.limit.test=50";
    sandbox.run(&format!("train {TINY} {quick} --output-dir run")).succeeded();
    sandbox
}

/// The bytes of every file below a folder but the results of evaluations.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "evaluations" {
            found.extend(files(&path));
        } else if path.is_file() {
            found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    found
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn evaluating_writes_the_same_results_twice_and_changes_nothing_else() {
    let sandbox = trained();
    let run = sandbox.path("run");
    let before = files(&run);
    let ran = sandbox.run("evaluate run").succeeded();
    for word in ["knn", "linear", "top-1", "balanced", "precision", "disc"] {
        assert!(ran.stdout.contains(word), "`{word}` is not in:\n{}", ran.stdout);
    }
    let read = |name: &str| std::fs::read(run.join("evaluations").join(name)).unwrap();
    let first = ["knn-shapes-test.json", "linear-shapes-test.json"].map(read);
    sandbox.run("evaluate run --json --protocol linear --protocol knn").succeeded();
    assert_eq!(first, ["knn-shapes-test.json", "linear-shapes-test.json"].map(read));
    assert!(before == files(&run), "a file of the run has changed");

    let result: Value = serde_json::from_slice(&first[1]).unwrap();
    assert_eq!((&result["samples"], &result["train_samples"]), (&Value::from(50), &Value::from(64)));
    let accuracy = &result["metrics"]["accuracy"];
    let (mean, low, high) = (&accuracy["mean"], &accuracy["interval"][0], &accuracy["interval"][1]);
    assert!(low.as_f64() <= mean.as_f64() && mean.as_f64() <= high.as_f64() && low != high, "{accuracy}");
    let confusion = result["confusion"].as_array().unwrap();
    let counted: i64 = confusion.iter().flat_map(|row| row.as_array().unwrap()).filter_map(Value::as_i64).sum();
    assert_eq!((confusion.len(), counted), (10, 50));
    let right: i64 = (0..10).filter_map(|class| confusion[class][class].as_i64()).sum();
    assert_eq!(mean.as_f64(), Some(right as f64 / 50.0));
    assert_eq!(result["weights"]["step"], 4);
    assert!(result["seeds"][0]["chosen"]["l2"].is_f64(), "{result}");

    // What training measured on the validation split is what an evaluation of it finds.
    let ran = sandbox.run("evaluate run --split val --protocol knn --json").succeeded();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let record = json(&run.join("run.json"));
    assert_eq!(found[0]["metrics"]["accuracy"]["mean"], record["metrics"]["knn/val/accuracy"]);
    // The report shows them.
    let report = sandbox.run("report run").succeeded();
    assert!(report.stdout.contains("linear-shapes-test"), "{}", report.stdout);
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("<h2>Evaluations</h2>") && page.contains("<th>linear-shapes-test</th>"));
}

#[test]
fn protocols_that_train_draw_from_their_seeds_and_leave_the_encoder_as_it_was() {
    let sandbox = trained();
    let run = sandbox.path("run");
    let before = files(&run);
    let metrics = |arguments: &str| -> Vec<Value> {
        let ran = sandbox.run(&format!("evaluate run --json {arguments}")).succeeded();
        let results: Value = serde_json::from_str(&ran.stdout).unwrap();
        results.as_array().unwrap().to_vec()
    };
    let arguments = "--protocol finetune --protocol linear-aug --protocol knn --epochs 2 --seeds 2 --lr 0.01";
    let results = metrics(arguments);
    for (result, setting) in results.iter().zip(["start_l2", "learning_rate"]) {
        assert_eq!(result["seeds"].as_array().unwrap().len(), 2);
        assert!(result["metrics"]["accuracy"]["std"].is_f64(), "{result}");
        assert!(result["seeds"][0]["chosen"][setting].is_f64(), "{result}");
    }
    assert_eq!(results, metrics(arguments));
    // kNN after fine-tuning is kNN of the run's own encoder.
    assert_eq!(results[2], metrics("--protocol knn")[0]);
    assert!(before == files(&run), "a file of the run has changed");
}

#[test]
fn a_checkpoint_is_evaluated_by_itself_and_damage_is_noticed() {
    let sandbox = trained();
    let checkpoint = "run/checkpoints/step-00000004";
    sandbox.run(&format!("evaluate {checkpoint} --protocol knn")).succeeded();
    sandbox.run("evaluate run --protocol knn").succeeded();
    let result = |suffix: &str| json(&sandbox.path(&format!("run/evaluations/knn-shapes-test{suffix}.json")));
    let (own, last) = (result("-step-00000004"), result(""));
    assert_eq!(own["metrics"], last["metrics"]);
    assert_ne!(own["weights"]["file"], last["weights"]["file"]);

    let model = sandbox.path(checkpoint).join("model.safetensors");
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    sandbox.run(&format!("evaluate {checkpoint}")).failed(3, &["step-00000004", "model.safetensors"]);
    // A run that was not finished has no other weights.
    std::fs::remove_file(sandbox.path("run/encoder.safetensors")).unwrap();
    sandbox.run("evaluate run").failed(3, &["no intact checkpoint"]);
}

#[test]
fn another_data_set_is_evaluated_at_the_size_that_the_encoder_knows() {
    let sandbox = trained();
    let other = "--dataset shapes --set dataset.options.size=48 --set dataset.options.train_size=60 --protocol knn";
    let ran = sandbox.run(&format!("evaluate run --json {other}")).succeeded();
    let result = &serde_json::from_str::<Value>(&ran.stdout).unwrap()[0];
    assert_eq!(result["train_samples"], 60);
    let settings =
        serde_json::json!(["dataset.options.size=48", "dataset.options.train_size=60", "preprocess.resize=32"]);
    assert_eq!(result["settings"], settings);
}

#[test]
fn an_evaluation_under_other_settings_replaces_no_other() {
    let sandbox = trained();
    let run = sandbox.path("run");
    sandbox.run("evaluate run --protocol knn").succeeded();
    let own = std::fs::read(run.join("evaluations/knn-shapes-test.json")).unwrap();
    let ran =
        sandbox.run("evaluate run --protocol knn --k 1 --set data.limit.test=30 --set train.device=cpu").succeeded();
    assert!(ran.stdout.contains("data.limit.test=30"), "{}", ran.stdout);
    assert_eq!(std::fs::read(run.join("evaluations/knn-shapes-test.json")).unwrap(), own);
    let mut names: Vec<_> = std::fs::read_dir(run.join("evaluations")).unwrap().flatten().collect();
    names.retain(|entry| entry.path().extension().is_some_and(|extension| extension == "json"));
    names.sort_by_key(|entry| entry.file_name().len());
    assert_eq!(names.len(), 2);
    let other = json(&names[1].path());
    assert_eq!(other["settings"], serde_json::json!(["data.limit.test=30", "knn.k=1"]));
    assert_eq!(other["samples"], 30);
    // The only neighbour's class is the only one with a vote.
    assert_eq!(other["metrics"]["top5_accuracy"]["mean"], other["metrics"]["accuracy"]["mean"]);
    let report = sandbox.run("report run").succeeded();
    for word in ["settings", "knn.k=1", "step", "images"] {
        assert!(report.stdout.contains(word), "`{word}` is not in:\n{}", report.stdout);
    }
    let idle = sandbox.run("evaluate run --protocol knn --epochs 3").succeeded();
    assert!(idle.stderr.contains("`--epochs` has no effect on knn"), "{}", idle.stderr);
    // A file that is no result costs neither the report nor the others.
    sandbox.write("run/evaluations/old.json", "{}");
    let report = sandbox.run("report run").succeeded();
    assert!(report.stderr.contains("old.json") && report.stdout.contains("knn.k=1"), "{}", report.stderr);
}

#[test]
fn images_are_prepared_as_the_run_prepared_them() {
    let sandbox = Sandbox::new();
    let cropped = "--set preprocess.center_crop_size=24 --set scheduler.epochs=1";
    sandbox.run(&format!("train {TINY} {cropped} --output-dir run")).succeeded();
    let ran = sandbox.run("evaluate run --split val --protocol knn --json").succeeded();
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let record = json(&sandbox.path("run/run.json"));
    assert_eq!(found[0]["metrics"]["accuracy"]["mean"], record["metrics"]["knn/val/accuracy"]);
    sandbox.run("evaluate run --set preprocess.center_crop_size=28").failed(2, &["preprocess", "--set"]);
}

#[test]
fn what_the_run_was_cannot_be_changed_afterwards() {
    let sandbox = trained();
    sandbox.run("evaluate run --set train.seed=7").failed(2, &["train.seed", "--set"]);
    sandbox.run("evaluate run --set dataset.name=CIFAR10").failed(2, &["dataset.name", "--dataset"]);
    sandbox.run("evaluate run --set knn.kk=7").failed(2, &["knn.kk"]);
    sandbox.run("evaluate run --dataset nothing").failed(2, &["nothing"]);
    sandbox.run("evaluate nowhere").failed(3, &["nowhere"]);
    assert!(!sandbox.path("run/evaluations").exists());
}

#[test]
fn embeddings_are_written_with_ids_labels_and_splits() {
    let sandbox = trained();
    let all = "embed run --split all --out";
    let ran = sandbox.run(&format!("{all} all.safetensors")).succeeded();
    // 64 training images, 40 for validation, 50 of the test split.
    assert!(ran.stdout.contains("154 embeddings of length 64"), "{}", ran.stdout);
    let bytes = std::fs::read(sandbox.path("all.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let embeddings = tensors.tensor("embeddings").unwrap();
    assert_eq!((embeddings.shape(), tensors.tensor("labels").unwrap().shape()), (&[154, 64][..], &[154][..]));

    sandbox.run(&format!("{all} all.npy")).succeeded();
    let npy = std::fs::read(sandbox.path("all.npy")).unwrap();
    assert!(npy.starts_with(b"\x93NUMPY\x01\x00") && npy.ends_with(embeddings.data()));
    assert_eq!((npy.len() - embeddings.data().len()) % 64, 0);
    assert!(String::from_utf8_lossy(&npy[..128]).contains("'shape': (154, 64)"));
    let csv = std::fs::read_to_string(sandbox.path("all.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (155, "id,split,label,class"));
    assert!(lines[1].starts_with("0,train,") && lines[65].contains(",val,") && lines[154].contains(",test,"));

    sandbox.run("embed run --split val --out val.parquet").succeeded();
    let parquet = std::fs::read(sandbox.path("val.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));

    sandbox.run(&format!("{all} all.npy")).failed(2, &["all.npy", "--force"]);
    sandbox.run(&format!("{all} all.npy --force")).succeeded();
    assert_eq!(std::fs::read(sandbox.path("all.npy")).unwrap(), npy);
    sandbox.run(&format!("{all} all.bin")).failed(2, &["all.bin", ".npy", ".parquet", ".safetensors"]);
    let left: Vec<_> = std::fs::read_dir(sandbox.path(".")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn the_untrained_encoder_scores_what_the_run_measured_before_its_first_step() {
    let sandbox = trained();
    sandbox.run("evaluate run --untrained --protocol knn --split val").succeeded();
    let record = json(&sandbox.path("run/run.json"));
    let result = json(&sandbox.path("run/evaluations/knn-shapes-val-untrained.json"));
    assert_eq!(result["metrics"]["accuracy"]["mean"], record["metrics"]["untrained/knn/val/accuracy"]);
    assert_eq!(result["weights"]["step"], 0);
}

#[test]
fn another_objective_is_another_result_and_training_keys_are_refused() {
    let sandbox = trained();
    sandbox.run("evaluate run --protocol linear").succeeded();
    let file = sandbox.path("run/evaluations/linear-shapes-test.json");
    let (first, embedding) = (std::fs::read(&file).unwrap(), json(&file)["embedding"].clone());
    assert_eq!(embedding, "the trained encoder");
    let balanced = "train.self_supervision.use_balanced_binary_loss_for_linear_head=true";
    let ran = sandbox.run(&format!("evaluate run --protocol linear --json --set {balanced}")).succeeded();
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(result[0]["settings"], serde_json::json!([balanced]));
    assert_eq!(std::fs::read(&file).unwrap(), first, "the run's own result stays");
    sandbox.run("evaluate run --set optimizer.name=lars").failed(2, &["optimizer", "--lr"]);
    sandbox.run("evaluate run --set scheduler.epochs=3").failed(2, &["scheduler", "--epochs"]);
    sandbox.run("evaluate run --set train.encoder_ema_decay=0.5").failed(2, &["train.encoder_ema_decay"]);
}

#[test]
fn an_encoder_file_that_the_run_did_not_write_is_refused() {
    let sandbox = trained();
    let file = sandbox.path("run/encoder.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for command in ["evaluate run", "embed run --split test --out e.npy", "export run --out e.safetensors"] {
        sandbox.run(command).failed(3, &["encoder.safetensors", "SHA-256", "checkpoint"]);
    }
    sandbox.run("evaluate run/checkpoints/step-00000004 --protocol knn").succeeded();
    sandbox.run("embed run --split test --out e.xls").failed(2, &["e.xls", ".parquet"]);
    let left: Vec<_> = std::fs::read_dir(sandbox.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".tmp")), "{left:?}");
}

/// The rows of a CSV file without quotes, a value by its column's name.
fn csv_rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines.map(|line| header.iter().cloned().zip(line).collect()).collect()
}

#[test]
fn kept_classifiers_predict_what_the_evaluation_scored() {
    let sandbox = trained();
    sandbox.run("predict run --on .").failed(2, &["selfsame evaluate run --protocol linear --keep"]);
    let all = "--set data.limit.test=null";
    sandbox.run(&format!("embed run --split test --out test.npy {all}")).succeeded();
    let truth = csv_rows(&std::fs::read_to_string(sandbox.path("test.csv")).unwrap());
    let truth: BTreeMap<_, _> = truth.into_iter().map(|row| (row["id"].clone(), row["class"].clone())).collect();
    // Evaluates, keeps, and returns the accuracy and the classifier's file.
    let keep = |arguments: &str| {
        let ran = sandbox.run(&format!("evaluate run --keep --seeds 1 {all} {arguments}")).succeeded();
        let written = |ending: &str| {
            let line = ran.stdout.lines().find(|line| line.ends_with(ending));
            line.unwrap_or_else(|| panic!("{ending} is not in {}", ran.stdout)).to_owned()
        };
        assert!(std::fs::read(written(".predictions.parquet")).unwrap().starts_with(b"PAR1"));
        let accuracy = &json(Path::new(&written(".json")))["metrics"]["accuracy"]["mean"];
        (accuracy.as_f64().unwrap(), written(".classifier.safetensors"))
    };
    // The renderer needs no folder; the classifier is named.
    let accuracy = |classifier: &str| {
        let rows = csv_rows(&sandbox.run(&format!("predict run --on . {classifier}")).succeeded().stdout);
        let rows: Vec<_> = rows.into_iter().filter(|row| row["split"] == "test").collect();
        assert_eq!(rows.len(), truth.len());
        for row in &rows {
            let probability = |(name, value): (&String, &String)| {
                Some((name.strip_prefix("probability:")?.to_owned(), value.parse::<f64>().unwrap()))
            };
            let probabilities: Vec<_> = row.iter().filter_map(probability).collect();
            let likeliest = probabilities.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            assert!((probabilities.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-9, "{row:?}");
            assert_eq!((probabilities.len(), &likeliest.0), (10, &row["predicted"]));
        }
        rows.iter().filter(|row| truth[&row["id"]] == row["predicted"]).count() as f64 / rows.len() as f64
    };
    let (linear, _) = keep("--protocol linear");
    assert_eq!(accuracy(""), linear);
    let (tuned, classifier) = keep("--protocol finetune --epochs 3 --lr 0.01");
    assert_ne!(tuned, linear);
    assert_eq!(accuracy(&format!("--classifier {classifier}")), tuned);
    sandbox.run("predict run --on .").failed(2, &["several classifiers were kept", "--classifier"]);

    sandbox.run(&format!("predict run --on . --classifier {classifier} --out p.csv")).succeeded();
    sandbox.run("predict run --on . --out p.csv").failed(2, &["p.csv exists", "--force"]);
    sandbox.run("predict run --on . --out p.txt").failed(2, &["p.txt", ".csv or .parquet"]);
    sandbox
        .run("predict run --on . --classifier run/encoder.safetensors")
        .failed(3, &["does not say what it classifies"]);
    sandbox.run("evaluate run --keep --untrained").failed(2, &["--keep", "--untrained"]);
    // After more training the classifiers are those of another encoder.
    sandbox.run("train --resume run --set scheduler.epochs=2").succeeded();
    sandbox.run("predict run --on .").failed(2, &["no classifier of this encoder was kept"]);
    let named = format!("predict run --on . --classifier {classifier}");
    sandbox.run(&named).failed(2, &["was learned on other weights than encoder.safetensors"]);
}
