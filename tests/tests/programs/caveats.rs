//! What makes scores say less than they seem to is said once on the screen, in the report and in the record.

use image::{GrayImage, Luma};
use selfsame_tests::{Ran, Sandbox, TINY, metrics};
use serde_json::Value;

/// A small run of one epoch on the folders of images in `images`.
const FOLDERS: &str = "train --set dataset.name=ImageFolder --set dataset.dataset_dir=images \
                       --set train.self_supervision.encoder_name=resnet8 --set train.batch_size=8 \
                       --set scheduler.epochs=2 --set method.projection.hidden_dim=16 --set train.device=cpu \
                       --set method.projection.output_dim=8 --set preprocess.resize=16 --output-dir run";

/// A sandbox with 16×16 images of one noise pattern each; without `noise`, all grey.
fn with_images(names: impl Iterator<Item = String>, noise: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    for (number, name) in names.enumerate() {
        let level = |x: u32, y: u32| ((x * 31 + y * 17 + number as u32 * 7).wrapping_mul(2_654_435_761) >> 24) as u8;
        let image = GrayImage::from_fn(16, 16, |x, y| Luma([if noise { level(x, y) } else { 128 }]));
        let path = sandbox.path("images").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
    }
    sandbox
}

fn json(sandbox: &Sandbox, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(sandbox.path(file)).unwrap()).unwrap()
}

/// Fails unless a warning with all parts is said once on the screen, in the record and on the page.
#[track_caller]
fn warned(sandbox: &Sandbox, ran: &Ran, parts: &[&str]) {
    let has_all = |text: &str| parts.iter().all(|part| text.contains(part));
    let said = ran.stderr.lines().filter(|line| line.starts_with("warning: ") && has_all(line)).count();
    assert_eq!(said, 1, "{parts:?} in\n{}", ran.stderr);
    let record = json(sandbox, "run/run.json");
    let kept =
        record["warnings"].as_array().into_iter().flatten().filter(|text| has_all(text.as_str().unwrap())).count();
    assert_eq!(kept, 1, "{parts:?} in {record}");
    let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
    // What stands between backticks is code there.
    let page = page.replace("<code>", "`").replace("</code>", "`");
    let shown = page.lines().filter(|line| line.starts_with("<li>") && has_all(line)).count();
    assert_eq!(shown, 1, "{parts:?} on the page");
}

#[test]
fn a_class_without_a_validation_image_is_named() {
    let names = (0..42).map(|i| format!("train/{}/{i}.png", if i < 40 { "many" } else { "rare" }));
    let sandbox = with_images(names, true);
    let ran = sandbox.run(&format!("{FOLDERS} --set knn.k=1")).succeeded();
    warned(&sandbox, &ran, &["class `rare`", "no image in the val split"]);
    assert!(!ran.stderr.contains("neighbours"), "{}", ran.stderr);
}

#[test]
fn too_many_neighbours_are_named_with_a_number_that_would_do() {
    let sandbox = Sandbox::new();
    let arguments = format!("train {TINY} --set scheduler.epochs=2 --set knn.k=40 --output-dir run");
    let ran = sandbox.run(&arguments).succeeded();
    warned(&sandbox, &ran, &["40 neighbours", "a tenth of the 64 training images", "class `", "`knn.k="]);
    // A resumed run keeps it, once.
    let ran = sandbox.run(&format!("{arguments} --resume")).succeeded();
    warned(&sandbox, &ran, &["40 neighbours"]);
    let suggested = ran.stderr.split("`knn.k=").nth(1).and_then(|rest| rest.split('`').next()).unwrap().to_owned();
    let ran = sandbox.run("evaluate run --split val").succeeded();
    assert_eq!(ran.stderr.matches("40 neighbours").count(), 1, "{}", ran.stderr);
    let result = json(&sandbox, "run/evaluations/knn-shapes-val.json");
    assert!(result["warnings"][0].as_str().unwrap().contains("40 neighbours"), "{result}");
    let linear = json(&sandbox, "run/evaluations/linear-shapes-val.json");
    assert!(!linear["warnings"].to_string().contains("neighbours"), "{linear}");
    sandbox.run("report run").succeeded();
    let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
    assert!(page.contains("<li>knn-shapes-val: kNN asks 40 neighbours"), "the evaluation's warning is not on the page");
    let ran = sandbox.run(&format!("evaluate run --split val --protocol knn --k {suggested}")).succeeded();
    assert!(!ran.stderr.contains("neighbours"), "{}", ran.stderr);
}

#[test]
fn the_recorded_k_is_the_one_that_is_used() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    let scores = |k: usize| {
        let ran = sandbox.run(&format!("evaluate run --split val --protocol knn --k {k} --json")).succeeded();
        (serde_json::from_str::<Value>(&ran.stdout).unwrap()[0].clone(), ran.stderr)
    };
    let ((many, said), (all, _)) = (scores(100_000), scores(64));
    assert_eq!((&many["recipe"]["k"], &many["metrics"]), (&64.into(), &all["metrics"]));
    assert!(said.contains("there are only 64, so that 64 vote"), "{said}");
}

#[test]
fn a_validation_split_that_is_too_small_for_its_interval_is_named() {
    let sandbox = Sandbox::new();
    let small = "--set data.limit.val=20 --set scheduler.epochs=1 --set knn.k=1";
    let ran = sandbox.run(&format!("train {TINY} {small} --output-dir run")).succeeded();
    warned(&sandbox, &ran, &["the val split has 20 images", "± 22 points", "`data.val_fraction`"]);
    let ran = sandbox.run("evaluate run --split val --protocol linear").succeeded();
    assert_eq!(ran.stderr.matches("± 22 points").count(), 1, "{}", ran.stderr);
}

#[test]
fn features_that_are_all_the_same_are_called_so_without_labels_too() {
    let sandbox = with_images((0..40).map(|i| format!("{i}.png")), false);
    let ran = sandbox.run(FOLDERS).succeeded();
    warned(&sandbox, &ran, &["`features/std`", "`train.base_lr`", "selfsame preview"]);
}

#[test]
fn a_run_with_nothing_to_say_says_nothing() {
    let sandbox = Sandbox::new();
    let plain = "--set dataset.options.train_size=800 --set data.limit.val=80 --set scheduler.epochs=1";
    let ran = sandbox.run(&format!("train {TINY} {plain} --output-dir run")).succeeded();
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    assert!(json(&sandbox, "run/run.json")["warnings"].is_null());
}

#[test]
fn the_closing_probe_stands_in_the_metrics_once() {
    let sandbox = Sandbox::new();
    let arguments = format!("train {TINY} --set scheduler.epochs=2 --output-dir run");
    sandbox.run(&arguments).succeeded();
    let run = sandbox.path("run");
    let closing = json(&sandbox, "run/run.json")["metrics"]["linear/val/accuracy"].clone();
    let points = || -> Vec<_> {
        let lines = metrics(&run);
        let value = |line: &Value| Some((line["step"].as_u64()?, line["metrics"].get("linear/val/accuracy")?.clone()));
        lines.iter().filter_map(value).collect()
    };
    assert_eq!(points().len(), 2, "before and after training");
    assert_eq!(points()[1], (8, closing));
    // No value of a step is recorded twice, by whomever it is measured.
    let is_once = || {
        let lines = metrics(&run);
        let names = lines.iter().flat_map(|line| {
            line["metrics"]
                .as_object()
                .unwrap()
                .keys()
                .map(|name| (line["step"].as_u64(), name.clone()))
                .collect::<Vec<_>>()
        });
        let names: Vec<_> = names.collect();
        names.len() == names.iter().collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!(is_once());
    let before = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    sandbox.run(&format!("{arguments} --resume")).succeeded();
    assert_eq!(std::fs::read_to_string(run.join("metrics.jsonl")).unwrap(), before);
    let board = |name: &str| {
        let entries = std::fs::read_dir(&run).unwrap().flatten().map(|entry| entry.path());
        let events = entries.filter(|path| path.file_name().unwrap().to_string_lossy().contains("tfevents"));
        events.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).matches(name).count()).sum::<usize>()
    };
    assert_eq!(board("linear/val/accuracy"), 2);
}
