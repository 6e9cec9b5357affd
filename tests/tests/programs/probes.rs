//! What is measured between epochs of tasks with positives and negatives, and that an evaluation finds the same.

use selfsame_tests::{Sandbox, metrics, test_plugin};
use serde_json::Value;

/// A run of one epoch on the stripes of `tests/plugins/uneven`, a quarter of whose patients is held out.
const STRIPES: &str = "--plugins own --set dataset.name=uneven --set data.val_fraction=0.25 \
                       --set train.self_supervision.encoder_name=resnet8 --set train.batch_size=8 \
                       --set scheduler.epochs=1 --set method.projection.hidden_dim=16 \
                       --set method.projection.output_dim=8 --set train.device=cpu --set preprocess.resize=16 \
                       --set knn.k=3 --output-dir run";

fn trained(more: &str) -> (Sandbox, String, Value) {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("own")).unwrap();
    std::os::unix::fs::symlink(test_plugin("uneven"), sandbox.path("own/libuneven.so")).unwrap();
    let ran = sandbox.run(&format!("train {STRIPES} {more}")).succeeded();
    let record = std::fs::read_to_string(sandbox.path("run/run.json")).unwrap();
    (sandbox, ran.stdout, serde_json::from_str(&record).unwrap())
}

/// An evaluation of the run's validation split with kNN.
fn evaluated(sandbox: &Sandbox) -> Value {
    let ran = sandbox.run("evaluate run --plugins own --split val --protocol knn --json").succeeded();
    serde_json::from_str::<Value>(&ran.stdout).unwrap()[0].clone()
}

#[test]
fn a_binary_task_is_ranked_before_training_between_epochs_and_after() {
    let (sandbox, table, record) = trained("");
    for title in ["kNN top-1", "linear (fixed L2) top-1", "kNN AUROC", "linear (fixed L2) AUROC"] {
        assert!(table.contains(title), "`{title}` is not in:\n{table}");
    }
    for name in ["knn/val/auroc", "linear/val/auroc", "knn/val/auprc", "linear/val/accuracy"] {
        for name in [name.to_owned(), format!("untrained/{name}")] {
            assert!(record["metrics"][&name].is_f64(), "{name} in {record}");
        }
    }
    let lines = metrics(&sandbox.path("run"));
    let of = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap()["metrics"].clone();
    assert!(of("untrained")["linear/val/auroc"].is_f64() && of("epoch")["knn/val/auroc"].is_f64(), "{lines:?}");
    let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
    assert!(page.contains("<th>linear (fixed L2) AUROC</th>") && page.contains("<figcaption>AUROC"));

    // The split that was held out of training is the one that an evaluation scores.
    let result = evaluated(&sandbox);
    assert_eq!((&result["train_samples"], &result["samples"]), (&Value::from(36), &Value::from(12)));
    for score in ["accuracy", "auroc", "auprc"] {
        assert_eq!(result["metrics"][score]["mean"], record["metrics"][format!("knn/val/{score}")], "{score}");
    }
}

#[test]
fn labels_of_their_own_are_ranked_one_by_one() {
    let (sandbox, table, record) = trained("--set dataset.options.multilabel=true");
    assert!(
        table.contains("kNN AUROC") && table.contains("linear (fixed L2) AUROC") && !table.contains("top-1"),
        "{table}"
    );
    for name in ["knn/val/auroc", "linear/val/auroc", "untrained/knn/val/auroc", "online/val/auroc"] {
        assert!(record["metrics"][name].is_f64(), "{name} in {record}");
    }
    assert_eq!(evaluated(&sandbox)["metrics"]["auroc"]["mean"], record["metrics"]["knn/val/auroc"]);
}
