//! What a run says of itself to people and programs: dry runs, its log, events, completions and manual.

use selfsame_tests::{Sandbox, TINY, metrics};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// All paths below a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let walked = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap().path().display().to_string());
    walked.collect()
}

#[test]
fn a_dry_run_measures_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let before = files(&sandbox.path(""));
    let ran = sandbox
        .run(&format!("train --dry-run {TINY} --set train.batch_size=24 --set scheduler.epochs=7 --output-dir run"))
        .succeeded();
    assert_eq!(files(&sandbox.path("")), before);
    for part in [
        "train 64, val 40",
        "2 an epoch of batch 24; 16 images fill no batch",
        "7 epochs, 14 steps",
        "resnet8",
        "64 features",
        "about ",
        "run would be made",
    ] {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    sandbox.run(&format!("train --dry-run {TINY} --set train.batch_size=512")).failed(2, &["train.batch_size"]);
    sandbox.run("train --dry-run --resume run").failed(2, &["--dry-run"]);
}

#[test]
fn a_profile_says_where_a_step_spends_its_time_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let before = files(&sandbox.path(""));
    let json = |batch: usize, more: &str| {
        let arguments =
            format!("train --profile 2 --json {TINY} --set train.batch_size={batch} {more} --output-dir run");
        serde_json::from_str::<Value>(&sandbox.run(&arguments).succeeded().stdout).unwrap()
    };
    let (one, two) = (json(16, ""), json(32, ""));
    let names: Vec<_> = one["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["wait for data", "views", "forward", "loss", "backward", "optimizer", "head"]);
    let flops = |profile: &Value, name: &str| {
        let stage = profile["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == name).unwrap();
        assert!(
            stage["seconds"].as_f64().unwrap() > 0.0 && stage["calls"].as_u64().unwrap() > 0 || name == "wait for data"
        );
        stage["flops"].as_f64().unwrap()
    };
    // Twice the images are twice the work for the networks, and four times the work for the similarities of all pairs.
    assert!(flops(&one, "forward") > 1e6 && flops(&two, "forward") == 2.0 * flops(&one, "forward"), "{one} {two}");
    // The gradients of a product are two products.
    let similarities = |profile: &Value| 2.0 * flops(profile, "loss");
    let networks = |profile: &Value| flops(profile, "backward") - similarities(profile);
    assert_eq!(networks(&two), 2.0 * networks(&one));
    assert_eq!(flops(&two, "loss"), 4.0 * flops(&one, "loss"));
    // In pieces, each image passes the network a second time.
    let pieces = json(16, "--set train.micro_batch_size=8");
    assert_eq!(flops(&pieces, "forward"), 2.0 * flops(&one, "forward"));
    assert!(one["matrix_rate"].as_f64() > one["flops_per_s"].as_f64() && one["images"] == 16, "{one}");

    let text = sandbox.run(&format!("train --profile 1 {TINY} --output-dir run")).succeeded().stdout;
    for part in [
        "simclr with resnet8, steps of 16 images on cpu in fp32",
        "backward",
        "images/s",
        "GFLOP/s",
        "at most",
        "aten::",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(text.lines().filter(|line| !line.contains("aten::")).all(|line| line.chars().count() <= 140), "{text}");
    assert_eq!(files(&sandbox.path("")), before);
    sandbox.run("train --profile 0").failed(2, &["--profile"]);
    sandbox.run(&format!("train --profile 1 --dry-run {TINY}")).failed(2, &["--profile", "--dry-run"]);
}

#[test]
fn a_runs_log_has_every_message_with_its_time_and_goes_on_with_the_run() {
    let sandbox = Sandbox::new();
    let train = |more: &str| sandbox.run(&format!("train {TINY} --set knn.k=50 --output-dir run {more}"));
    let first = train("--set scheduler.epochs=1 --color always").succeeded();
    let log = || std::fs::read_to_string(sandbox.path("run/log.txt")).unwrap();
    let begun = log();
    let lines: Vec<&str> = begun.lines().collect();
    let time = |line: &str| line.split(' ').next().unwrap().to_owned();
    assert!(lines.iter().all(|line| time(line).len() == 20 && time(line).ends_with('Z')), "{begun}");
    assert!(lines.is_sorted_by_key(|line| time(line)), "{begun}");
    assert!(lines[0].contains(" selfsame ") && lines[0].contains("knn.k=50"), "{begun}");
    assert!(lines.iter().any(|line| line.contains("Z warning: kNN asks 50 neighbours")), "{begun}");
    assert!(lines.iter().any(|line| line.contains("epoch 1/1")), "{begun}");
    assert!(first.stderr.contains("\x1b[1;33mwarning") && !begun.contains('\x1b'), "{begun}");
    train("--set scheduler.epochs=2 --resume").succeeded();
    let all = log();
    assert!(all.starts_with(&begun) && all.contains("continuing after step"), "{all}");
    assert!(all.matches(": ").count() > begun.matches(": ").count());
}

#[test]
fn an_error_that_ends_a_run_is_in_its_log() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&format!("train {TINY} --set train.base_lr=1e30 --set scheduler.epochs=3 --output-dir run"));
    assert_ne!(ran.code, Some(0), "{}", ran.stderr);
    let log = std::fs::read_to_string(sandbox.path("run/log.txt")).unwrap();
    let error = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(log.lines().any(|line| line.ends_with(error)), "{error}\n{log}");
}

#[test]
fn a_log_begins_with_the_runs_folder_and_a_refused_folder_keeps_its_own() {
    let sandbox = Sandbox::new();
    let train = |set: &str| sandbox.run(&format!("train {TINY} {set} --set scheduler.epochs=1 --output-dir run"));
    let log = || std::fs::read_to_string(sandbox.path("run/log.txt")).unwrap();
    // It ends while samples are read.
    let nowhere = "--set dataset.name=ImageFolder --set dataset.dataset_dir=none --set train.device=cpu";
    sandbox.run(&format!("train {nowhere} --output-dir run")).failed(3, &["none"]);
    let failed = log();
    assert!(failed.lines().count() == 2 && failed.contains("Z error: "), "{failed}");
    train("").succeeded();
    let whole = log();
    assert!(whole.starts_with(&failed), "the folder's second start goes on in the same file");
    train("").failed(2, &["already holds a run"]);
    assert_eq!(log(), whole, "a start that is refused says so to whoever made it");
}

#[test]
fn programs_are_told_of_phases_steps_and_scores_in_json() {
    let sandbox = Sandbox::new();
    let train = |more: &str| sandbox.run(&format!("train {TINY} --set scheduler.epochs=2 {more}"));
    let told = train("--output-dir a --progress json").succeeded();
    let parsed = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    };
    let events = parsed(&told.stderr);
    let of = |events: &[Value], name: &str| -> Vec<Value> {
        events.iter().filter(|event| event["event"] == name).cloned().collect()
    };
    let start = &of(&events, "start")[0];
    assert_eq!((&start["epochs"], &start["steps_per_epoch"]), (&2.into(), &4.into()));
    assert_eq!((of(&events, "untrained").len(), of(&events, "epoch").len(), of(&events, "trained").len()), (1, 2, 1));
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&"end".into(), &0.into()));
    assert!(of(&events, "phase").iter().any(|event| event["what"].as_str().unwrap().contains("embedding")));
    // The numbers are those of the run's own file.
    let steps = of(&events, "steps");
    let lines = metrics(&sandbox.path("a"));
    let losses: Vec<&Value> =
        lines.iter().map(|line| &line["metrics"]["ssl/train/loss"]).filter(|l| !l.is_null()).collect();
    assert_eq!(steps.iter().map(|event| &event["loss"]).collect::<Vec<_>>(), losses);
    // Known from the second report on; nothing is left after the last one.
    assert_eq!((&steps[0]["seconds_left"], &steps[1]["seconds_left"]), (&Value::Null, &0.into()));

    let people = train("--output-dir b --progress json:events.jsonl").succeeded();
    assert!(people.stderr.contains("epoch 2/2"), "{}", people.stderr);
    let kept = parsed(&std::fs::read_to_string(sandbox.path("events.jsonl")).unwrap());
    assert_eq!(of(&kept, "epoch").len(), 2);
    assert!(of(&kept, "message").is_empty());

    let failed = train("--output-dir a --progress json");
    assert_eq!(failed.code, Some(2));
    let events = parsed(&failed.stderr);
    let error = of(&events, "message").pop().unwrap();
    assert_eq!(error["level"], "error");
    assert!(error["text"].as_str().unwrap().contains("already holds a run"), "{error}");
    assert_eq!(events.last().unwrap()["code"], 2);
    train("--progress xml").failed(2, &["json:FILE"]);
}

#[test]
fn shells_and_man_know_every_command() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.run(&format!("completions {shell}")).succeeded().stdout;
        for word in ["init", "dry-run", "predict"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    sandbox.run("completions tcsh").failed(2, &["tcsh", "bash"]);
    sandbox.run("man pages").succeeded();
    let page = std::fs::read_to_string(sandbox.path("pages/selfsame-init.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("FOLDER"), "{page}");
    assert!(sandbox.path("pages/selfsame.1").exists() && sandbox.path("pages/selfsame-data-stats.1").exists());
}
