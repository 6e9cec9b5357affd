//! Which run `--resume` continues, what may be changed, and what is kept of each start.

use selfsame_tests::{Ran, Running, Sandbox, TINY, metrics};
use serde_json::Value;
use std::path::Path;

/// Runs the program to its end in a folder below the sandbox's.
fn run_in(sandbox: &Sandbox, folder: &str, arguments: &str) -> Ran {
    std::fs::create_dir_all(sandbox.path(folder)).unwrap();
    Running::start(sandbox.command(arguments).current_dir(sandbox.path(folder))).finish()
}

fn record(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).unwrap()).unwrap()
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("encoder.safetensors")).unwrap()
}

/// The recorded learning rates by step.
fn rates(run: &Path) -> Vec<(u64, f64)> {
    let rate = |line: &Value| Some((line["step"].as_u64()?, line["metrics"]["optim/lr"].as_f64()?));
    metrics(run).iter().filter_map(rate).collect()
}

#[test]
fn resume_must_fails_where_there_is_nothing_to_continue() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    std::fs::create_dir(sandbox.path("foreign")).unwrap();
    sandbox.write("foreign/notes.txt", "mine");
    let train = |folder: &str| format!("train {TINY} --set scheduler.epochs=1 --output-dir {folder}");
    for folder in ["absent", "empty", "foreign"] {
        sandbox.run(&format!("{} --resume=must", train(folder))).failed(2, &["nothing to continue", folder]);
    }
    assert!(!sandbox.path("absent").exists());
    assert!(std::fs::read_dir(sandbox.path("empty")).unwrap().next().is_none());
    // What has begun may be continued, complete or not.
    sandbox.run(&train("foreign")).succeeded();
    sandbox.run(&format!("{} --resume=must", train("foreign"))).succeeded();
    std::fs::remove_dir_all(sandbox.path("foreign/checkpoints")).unwrap();
    sandbox.run(&format!("{} --resume=must", train("foreign"))).succeeded();
}

#[test]
fn a_run_goes_on_by_its_folder_alone() {
    let sandbox = Sandbox::new();
    let train = format!("train {TINY} --set scheduler.epochs=2");
    sandbox.run(&format!("{train} --output-dir run")).succeeded();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=3 --output-dir straight")).succeeded();
    std::fs::create_dir(sandbox.path("archive")).unwrap();
    std::fs::rename(sandbox.path("run"), sandbox.path("archive/moved")).unwrap();
    let moved = sandbox.path("archive/moved");
    let before = weights(&moved);

    run_in(&sandbox, "elsewhere", "train --resume ../archive/moved").succeeded();
    assert_eq!(weights(&moved), before, "a complete run stays as it is");
    let ran = run_in(&sandbox, "elsewhere", "train --resume ../archive/moved --set scheduler.epochs=3").succeeded();
    assert!(ran.stderr.contains("continuing after step 8"), "{}", ran.stderr);
    assert_eq!(metrics(&moved).last().unwrap()["step"], 12);
    assert!(!sandbox.path("run").exists() && sandbox.path("elsewhere").read_dir().unwrap().next().is_none());

    for (arguments, parts) in [
        ("--resume archive/moved --set train.seed=9", &["`train.seed` was 1 and is 9 now", "--resume RUN"][..]),
        ("--resume archive/moved --output-dir other", &["--output-dir", "leave one out"]),
        ("--resume archive", &["holds no config.yaml", "archive"]),
        ("--resume absent", &["absent", "there is no such folder"]),
        // Nothing but the folder: all keys have their defaults, and a few of the differences are named.
        ("--output-dir archive/moved --resume", &["more keys differ", "--resume RUN"]),
    ] {
        let ran = sandbox.run(&format!("train {arguments}")).failed(2, parts);
        assert!(ran.stderr.len() < 900, "{}", ran.stderr);
    }
    assert!(!sandbox.path("absent").exists() && !sandbox.path("other").exists());
}

#[test]
fn the_learning_rate_may_change_and_follows_the_schedule_of_the_new_peak() {
    let sandbox = Sandbox::new();
    let train = |lr: &str, folder: &str| format!("train {TINY} --set train.base_lr={lr} --output-dir {folder}");
    sandbox.run(&format!("{} --set scheduler.epochs=3", train("0.01", "other"))).succeeded();
    sandbox.run(&format!("{} --set scheduler.epochs=2", train("0.02", "run"))).succeeded();
    let resumed = "train --resume run --set scheduler.epochs=3 --set train.base_lr=0.01";
    let ran = sandbox.run(resumed).succeeded();
    let warning =
        "`train.base_lr` was 0.02 and is 0.01 now: from here on the learning rate is that of a run with the new peak";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
    let (run, other) = (rates(&sandbox.path("run")), rates(&sandbox.path("other")));
    let steps: Vec<u64> = other.iter().map(|(step, _)| *step).collect();
    assert_eq!(run.iter().map(|(step, _)| *step).collect::<Vec<_>>(), steps);
    assert!(run[0].1 > other[0].1, "what was done stays");
    assert_eq!(run.last(), other.last(), "what is done from here on is the new schedule's");
}

#[test]
fn every_command_line_of_a_run_is_kept_and_reported() {
    let sandbox = Sandbox::new();
    let first = format!("train {TINY} --set scheduler.epochs=1 --output-dir run");
    sandbox.run(&first).succeeded();
    for epochs in [2, 3] {
        sandbox.run(&format!("train --resume run --set scheduler.epochs={epochs}")).succeeded();
    }
    let record = record(&sandbox.path("run"));
    let commands: Vec<String> = record["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|words| words.as_array().unwrap()[1..].iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
        .collect();
    let again = ["2", "3"].map(|epochs| format!("train --resume run --set scheduler.epochs={epochs}"));
    let first = first.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(commands, [first, again[0].clone(), again[1].clone()]);
    let report = sandbox.run("report run").succeeded().stdout;
    assert_eq!(report.lines().filter(|line| line.starts_with("Command ")).count(), 3, "{report}");
}

#[test]
fn a_metrics_file_that_was_cut_or_changed_is_noticed() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=2 --output-dir run")).succeeded();
    let path = sandbox.path("run/metrics.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let place = text.rfind("\"optim/lr\":0.0").expect("a learning rate") + 13;
    let mut flipped = text.clone();
    let digit = if &flipped[place..=place] == "1" { "2" } else { "1" };
    flipped.replace_range(place..=place, digit);
    let cut = format!("{}\n", lines[..lines.len() - 2].join("\n"));
    let longer = format!("{text}{{\"event\":\"st");
    let record = std::fs::read(sandbox.path("run/run.json")).unwrap();
    for (case, content, noticed) in [
        ("as it was", Some(text.as_str()), false),
        ("a torn line at its end", Some(longer.as_str()), false),
        ("a flipped digit", Some(flipped.as_str()), true),
        ("cut", Some(cut.as_str()), true),
        ("emptied", Some(""), true),
        ("deleted", None, true),
    ] {
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        std::fs::write(sandbox.path("run/run.json"), &record).unwrap();
        let ran = sandbox.run("train --resume run").succeeded();
        let said = ran.stderr.matches("was cut or changed since the checkpoint of step 8").count();
        assert_eq!(said, usize::from(noticed), "{case}: {}", ran.stderr);
        let kept = self::record(&sandbox.path("run"))["warnings"].to_string();
        assert_eq!(kept.contains("was cut or changed"), noticed, "{case}: {kept}");
        // What goes on is in the care of the next checkpoint.
        let newest = sandbox.path("run/checkpoints/step-00000008");
        assert!(newest.exists(), "{case}");
    }
}

#[test]
fn whole_checkpoints_without_a_record_say_how_to_go_on_and_that_works() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    for broken in [None, Some("{")] {
        match broken {
            Some(text) => drop(sandbox.write("run/run.json", text)),
            None => std::fs::remove_file(sandbox.path("run/run.json")).unwrap(),
        }
        let way_on = ["run.json", "checkpoints are whole", "put the file back", "--init"];
        for command in ["train --resume run", "report run", "evaluate run", "export run --out e.pt"] {
            sandbox.run(command).failed(3, &way_on);
        }
    }
    let weights = "--init run/checkpoints/step-00000004/model.safetensors --config run/config.yaml";
    sandbox.run(&format!("evaluate {weights} --protocol knn --split val")).succeeded();
    let start = "--set train.self_supervision.init=run/checkpoints/step-00000004/model.safetensors";
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 {start} --output-dir next")).succeeded();
}
