//! A run from start to end, and what it leaves behind.

use selfsame_tests::{Running, Sandbox, TINY, metrics, repository};
use std::collections::BTreeMap;
use std::process::Stdio;

#[test]
fn a_run_leaves_weights_metrics_report_and_checkpoint() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&format!("train {TINY} --set scheduler.epochs=2 --output-dir run")).succeeded();
    let cells = |line: &'_ str| line.split(['│', '┆']).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows: Vec<_> = ran.stdout.lines().map(cells).filter(|cells| cells.len() > 1).collect();
    assert_eq!(rows[0], ["", "encoder", "kNN top-1", "linear (fixed L2) top-1", ""], "{}", ran.stdout);
    assert_eq!([rows[1][1].as_str(), rows[2][1].as_str()], ["untrained", "trained"], "{}", ran.stdout);
    for score in [&rows[1][2..4], &rows[2][2..4]].concat() {
        let share: f64 = score.strip_suffix(" %").and_then(|share| share.parse().ok()).expect(&ran.stdout);
        assert!((0.0..=100.0).contains(&share), "{}", ran.stdout);
    }
    assert!(ran.stdout.contains("\nRun folder  run\n"), "{}", ran.stdout);
    let run = sandbox.path("run");
    for file in ["config.yaml", "run.json", "metrics.jsonl", "encoder.safetensors", "report.html"] {
        assert!(run.join(file).exists(), "{file} is missing");
    }
    let lines = metrics(&run);
    let last =
        &lines.iter().rev().find(|line| line["metrics"].get("ssl/val/loss").is_some()).expect("validation")["metrics"];
    for name in
        ["ssl/train/epoch_loss", "online/train/accuracy", "online/val/accuracy", "knn/val/accuracy", "features/std"]
    {
        assert!(last.get(name).and_then(serde_json::Value::as_f64).is_some_and(f64::is_finite), "{name} in {last}");
    }
    let untrained = lines.iter().find(|line| line["epoch"] == 0).expect("a line of the untrained encoder");
    assert!(untrained["metrics"]["knn/val/accuracy"].is_f64(), "{untrained}");
    let record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["status"], "completed", "{record}");

    let weights = std::fs::read(run.join("encoder.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(tensors.tensor("conv1.weight").unwrap().shape(), [16, 3, 3, 3]);
    assert!(tensors.names().iter().all(|name| !name.starts_with("encoder.") && !name.starts_with("projection.")));

    // A second run does not write over the first one.
    sandbox.run(&format!("train {TINY} --output-dir run")).failed(2, &["run", "--resume", "--output-dir"]);
    sandbox.run("report run").succeeded();
    sandbox.run("export run --out weights.safetensors").succeeded();
    sandbox.run("export run --format torchscript --out traced.pt").succeeded();
    assert!(std::fs::read(sandbox.path("traced.pt")).unwrap().starts_with(b"PK"));
    assert_eq!(std::fs::read(sandbox.path("weights.safetensors")).unwrap(), weights);
}

#[test]
fn every_method_trains_and_says_which_encoder_it_leaves() {
    let sandbox = Sandbox::new();
    let byol = "--set train.self_supervision.type=byol --set method.byol.predictor_hidden_dim=16";
    let cases = [
        (byol.to_owned(), "byol/tau", "the online encoder"),
        (format!("{byol} --set method.byol.embedding=target"), "byol/tau", "the target encoder"),
        (
            "--set train.self_supervision.type=barlow_twins --set optimizer.clip_grad_norm=5".to_owned(),
            "optim/grad_norm",
            "the trained encoder",
        ),
        (
            "--set train.self_supervision.type=vicreg --set train.encoder_ema_decay=0.9 --set train.micro_batch_size=8"
                .to_owned(),
            "vicreg/covariance",
            "a moving average of the trained encoder, decay 0.9",
        ),
    ];
    for (index, (method, metric, embedding)) in cases.iter().enumerate() {
        let name = format!("run-{index}");
        let arguments = format!("train {TINY} {method} --set scheduler.epochs=2 --output-dir {name}");
        let ran = sandbox.run(&arguments).succeeded();
        assert!(ran.stdout.contains(embedding), "{}", ran.stdout);
        let run = sandbox.path(&name);
        let logged = metrics(&run).iter().any(|line| line["metrics"].get(metric).is_some_and(|value| value.is_f64()));
        assert!(logged, "{metric} of {method}");
        let record: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
        assert_eq!(record["embedding"], *embedding);
        let weights = std::fs::read(run.join("encoder.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
        assert_eq!(tensors.tensor("conv1.weight").unwrap().shape(), [16, 3, 3, 3]);
        assert!(sandbox.run(&format!("report {name}")).succeeded().stdout.contains(embedding));
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_and_another_does_not() {
    let sandbox = Sandbox::new();
    let weights = |name: &str, seed: u64| {
        let seed = format!("--set train.seed={seed}");
        sandbox.run(&format!("train {TINY} {seed} --set scheduler.epochs=1 --output-dir {name}")).succeeded();
        std::fs::read(sandbox.path(name).join("encoder.safetensors")).unwrap()
    };
    let first = weights("a", 5);
    assert_eq!(first, weights("b", 5));
    assert_ne!(first, weights("c", 6));
}

#[test]
fn a_batch_larger_than_the_training_split_is_refused() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&format!("train {TINY} --set train.batch_size=500 --output-dir run"))
        .failed(2, &["train.batch_size", "500", "64"]);
}

#[test]
fn two_equal_views_are_refused() {
    let operations = ["use_random_crop", "use_random_horizontal_flip", "use_random_color", "use_random_grayscale"];
    let off = operations.map(|name| format!("--set augmentation.{name}=false")).join(" ");
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} {off} --output-dir run")).failed(2, &["`augmentation`", "equal", "preview"]);
    let second = "--set augmentation.view2.add_gaussian_noise=true --set scheduler.epochs=1";
    sandbox.run(&format!("train {TINY} {off} {second} --output-dir run")).succeeded();
}

#[test]
fn a_lack_of_memory_says_what_to_lower() {
    Sandbox::new()
        .run(&format!("train {TINY} --set method.projection.hidden_dim=4000000000000 --output-dir run"))
        .failed(5, &["can't allocate memory", "train.batch_size", "projection head"]);
}

#[test]
fn images_of_the_size_that_an_option_asks_for_reach_the_encoder() {
    let sandbox = Sandbox::new();
    let large = "--set dataset.options.size=80 --set scheduler.epochs=1";
    sandbox.run(&format!("train {TINY} {large} --output-dir run")).succeeded();
    let record = std::fs::read_to_string(sandbox.path("run/run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["input_size"], serde_json::json!([3, 80, 80]));
}

#[test]
fn every_shipped_configuration_passes_the_check() {
    let sandbox = Sandbox::new();
    let configs = repository().join("configs");
    let mut seen = BTreeMap::new();
    // What stands in `augmentation` is for runs whose head has a data set of its own.
    let parts = [("augmentation", " --set linear_head.dataset.name=shapes")];
    for (folder, set) in [("", ""), ("cpu", ""), ("datasets", ""), ("innereye", "")].into_iter().chain(parts) {
        for entry in std::fs::read_dir(configs.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let ran = sandbox.run(&format!("config check --config {}{set}", path.display())).succeeded();
                assert!(!ran.stderr.contains("no plugin"), "{}: {}", path.display(), ran.stderr);
                *seen.entry(folder).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(seen, BTreeMap::from([("", 16), ("augmentation", 2), ("cpu", 7), ("datasets", 3), ("innereye", 4)]));
}

#[test]
fn a_terminal_shows_what_goes_on_at_any_time() {
    let sandbox = Sandbox::new();
    let arguments = format!("train {TINY} --set scheduler.epochs=2 --output-dir run");
    let (code, sent) = selfsame_tests::terminal::run(sandbox.command(&arguments));
    assert_eq!(code, Some(0), "{sent}");
    for phase in [
        "preparing shapes",
        "opening shapes train",
        "building the encoder",
        "untrained encoder: embedding train images",
        "untrained encoder: embedding val images",
        "untrained encoder: nearest neighbours",
        "untrained encoder: linear probe",
        "epoch 1/2: validation loss",
        "epoch 1/2: embedding val images",
        "epoch 1/2: scores of the head",
        "epoch 1/2: saving a checkpoint",
        "epoch 2/2: validation loss",
        "epoch 2/2: linear probe",
        "epoch 2/2: writing the results",
    ] {
        assert!(sent.contains(phase), "`{phase}` is not in {sent:?}");
    }
    let decimals = regex::Regex::new(r"\d\.\d{3,}/s").unwrap();
    assert!(!decimals.is_match(&sent), "{sent:?}");
    // Elsewhere there are lines and nothing else.
    let ran = sandbox.run(&arguments.replace("--output-dir run", "--output-dir other")).succeeded();
    assert!(!ran.stderr.contains(['\r', '\u{1b}']) && ran.stderr.contains("epoch 2/2  "), "{:?}", ran.stderr);
    assert!(!ran.stderr.contains("validation loss"), "{}", ran.stderr);
}

#[test]
fn the_example_of_the_library_leaves_a_run_that_the_program_reads() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command_of(&selfsame_tests::example("train"), "mine");
    let ran = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).finish().succeeded();
    assert!(ran.stdout.contains("after step 4: loss") && ran.stdout.contains("done: 1 epochs"), "{}", ran.stdout);
    let reported = sandbox.run("report mine").succeeded();
    assert!(reported.stdout.contains("shapes (128 train, 32 val)"), "{}", reported.stdout);
}
