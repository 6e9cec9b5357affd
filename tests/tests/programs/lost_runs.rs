//! `--resume` replaces nothing of a run, and a run goes on where its own configuration lies.

use selfsame_tests::{Running, Sandbox, TINY, metrics};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The bytes of every file below a folder but the lock's, by path within it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else if name != "run.lock" {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// A sandbox with a complete run of two epochs in `run`.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=2 --output-dir run")).succeeded();
    sandbox
}

/// Waits until the run has recorded `count` lines of this event, and kills it.
fn kill_after(mut child: Running, run: &Path, event: &str, count: usize) {
    let start = Instant::now();
    let recorded = || {
        let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
        text.matches(&format!(r#""event":"{event}""#)).count()
    };
    while recorded() < count && start.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(recorded() >= count, "no {event} was recorded");
}

#[test]
fn a_complete_run_without_checkpoints_is_complete_and_is_not_replaced() {
    let sandbox = trained();
    let run = sandbox.path("run");
    std::fs::remove_dir_all(run.join("checkpoints")).unwrap();
    let before = files(&run);
    let again = format!("train {TINY} --output-dir run --resume");
    let ran = sandbox.run(&format!("{again} --set scheduler.epochs=2")).succeeded();
    assert!(ran.stdout.contains("complete") && ran.stdout.contains("trained"), "{}", ran.stdout);
    // Another run than this one is no continuation of it, and a longer one has nothing to go on from.
    let other = "--set train.seed=99 --set train.self_supervision.type=vicreg";
    sandbox.run(&format!("{again} --set scheduler.epochs=2 {other}")).failed(2, &["train.seed", "--output-dir"]);
    sandbox.run(&format!("{again} --set scheduler.epochs=3")).failed(2, &["complete", "checkpoint", "--output-dir"]);
    assert!(files(&run) == before, "a file of the run has changed");
}

#[test]
fn what_is_left_of_a_run_is_not_replaced() {
    let sandbox = trained();
    for left in ["encoder.safetensors", "metrics.jsonl", "run.json"] {
        let folder = sandbox.path("left");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(sandbox.path("run").join(left), folder.join(left)).unwrap();
        let before = files(&folder);
        let again = format!("train {TINY} --set scheduler.epochs=2 --output-dir left");
        sandbox.run(&again).failed(2, &["left"]);
        sandbox.run(&format!("{again} --resume")).failed(2, &["left"]);
        assert!(files(&folder) == before, "{left} has changed");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn an_unfinished_run_that_lost_its_checkpoints_is_refused() {
    let sandbox = Sandbox::new();
    let arguments = format!("train {TINY} --set scheduler.epochs=200 --output-dir run");
    kill_after(sandbox.start(&arguments), &sandbox.path("run"), "epoch", 2);
    let run = sandbox.path("run");
    std::fs::remove_dir_all(run.join("checkpoints")).unwrap();
    std::fs::create_dir(run.join("checkpoints")).unwrap();
    let before = files(&run);
    sandbox.run(&format!("{arguments} --resume")).failed(2, &["no checkpoint", "--output-dir", "remove the folder"]);
    assert!(files(&run) == before, "a file of the run has changed");
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_starts_anew_with_one_curve() {
    let sandbox = Sandbox::new();
    let arguments = format!("train {TINY} --set dataset.options.train_size=1280 --set scheduler.epochs=1");
    sandbox.run(&format!("{arguments} --output-dir straight")).succeeded();
    let run = sandbox.path("run");
    kill_after(sandbox.start(&format!("{arguments} --output-dir run --resume")), &run, "step", 1);
    assert!(std::fs::read_dir(run.join("checkpoints")).unwrap().next().is_none(), "killed too late");
    sandbox.run(&format!("{arguments} --set train.seed=2 --output-dir run --resume")).failed(2, &["train.seed"]);
    sandbox.run(&format!("{arguments} --output-dir run --resume")).succeeded();
    let weights = |name: &str| std::fs::read(sandbox.path(name).join("encoder.safetensors")).unwrap();
    assert_eq!(weights("run"), weights("straight"));
    let steps = |name: &str| -> Vec<_> {
        metrics(&sandbox.path(name)).iter().map(|line| (line["event"].clone(), line["step"].clone())).collect()
    };
    assert_eq!(steps("run"), steps("straight"));
    // TensorBoard is told to forget what the killed process wrote: step 0, session log, status START.
    let mut events: Vec<_> = std::fs::read_dir(&run).unwrap().flatten().map(|entry| entry.path()).collect();
    events.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("events.out.tfevents."));
    let starts = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(6).any(|part| part == [0x10, 0, 0x3a, 2, 8, 1])
    };
    assert_eq!((events.len(), events.iter().filter(|path| starts(path)).count()), (2, 1));
}

#[test]
fn a_moved_run_goes_on_where_it_lies() {
    let sandbox = trained();
    std::fs::create_dir(sandbox.path("archive")).unwrap();
    std::fs::rename(sandbox.path("run"), sandbox.path("archive/moved")).unwrap();
    let resume = "train --set scheduler.epochs=3 --resume --config";
    let ran = sandbox.run(&format!("{resume} archive/moved/config.yaml")).succeeded();
    assert!(ran.stderr.contains("continuing after step 8"), "{}", ran.stderr);
    assert!(!sandbox.path("run").exists(), "a run was started where the run was once");
    // From another folder, too, and without the flag, since a run that was continued says so in its configuration.
    let mut elsewhere =
        sandbox.command("train --set scheduler.epochs=4 --config ../archive/moved/config.yaml --resume");
    std::fs::create_dir(sandbox.path("elsewhere")).unwrap();
    elsewhere.current_dir(sandbox.path("elsewhere")).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(&mut elsewhere).finish().succeeded();
    assert!(std::fs::read_dir(sandbox.path("elsewhere")).unwrap().next().is_none());
    assert!(sandbox.path("archive/moved/checkpoints/step-00000016").exists());
}

#[test]
fn the_copy_of_a_run_goes_on_and_the_original_stays() {
    let sandbox = trained();
    let (original, copied) = (sandbox.path("run"), sandbox.path("copy"));
    copy(&original, &copied);
    let before = files(&original);
    let resume = "train --set scheduler.epochs=3 --config copy/config.yaml";
    // Two folders that might be meant.
    for other in ["--output-dir run", "--set train.output_dir=run", "--output-dir new"] {
        sandbox.run(&format!("{resume} --resume {other}")).failed(2, &["copy/config.yaml", "--resume"]);
    }
    assert!(!sandbox.path("new").exists());
    let ran = sandbox.run(&format!("{resume} --resume")).succeeded();
    assert!(ran.stderr.contains("continuing after step 8"), "{}", ran.stderr);
    assert!(copied.join("checkpoints/step-00000012").exists());
    // The copy's configuration makes a new run elsewhere, although the copy was continued.
    sandbox.run(&format!("{resume} --output-dir run")).failed(2, &["already holds a run"]);
    assert!(files(&original) == before, "the original has changed");
    sandbox.run(&format!("{resume} --output-dir new")).succeeded();
}
