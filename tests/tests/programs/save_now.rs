//! SIGUSR1 saves the state of a run, which goes on, and ends no command.

use selfsame_tests::{Running, Sandbox, TINY, metrics};
use std::path::Path;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

/// Waits until this holds of a child that goes on, or ends it.
#[track_caller]
fn wait_until(child: &mut Running, what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        let ended = child.try_wait().unwrap();
        if ended.is_some() || start.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("{what}: not before the end ({ended:?})");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the process has taken precautions against SIGUSR1.
fn heeds_sigusr1(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mask = |name| status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix(name)?.trim(), 16).ok());
    (mask("SigCgt:").unwrap_or(0) | mask("SigIgn:").unwrap_or(0)) & (1 << (libc::SIGUSR1 - 1)) != 0
}

fn has_checkpoint(run: &Path) -> bool {
    std::fs::read_dir(run.join("checkpoints"))
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("step-")))
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("encoder.safetensors")).expect("encoder.safetensors")
}

/// What was recorded of each epoch and of the encoder before and after, without what depends on the clock.
fn measured(run: &Path) -> Vec<(String, String)> {
    let lines = metrics(run).into_iter().filter(|line| line["event"] != "step");
    lines.map(|line| (line["event"].to_string(), line["step"].to_string())).collect()
}

#[test]
fn a_run_saves_when_asked_and_goes_on() {
    let sandbox = Sandbox::new();
    let arguments = format!("train {TINY} --set dataset.options.train_size=1920 --set scheduler.epochs=1");
    sandbox.run(&format!("{arguments} --output-dir straight")).succeeded();
    let run = sandbox.path("asked");
    let mut child = sandbox.start(&format!("{arguments} --output-dir asked"));
    let steps = || std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default().contains(r#""event":"step""#);
    wait_until(&mut child, "a step", steps);
    assert!(!has_checkpoint(&run), "nothing is saved before the end of the epoch");
    child.signal(libc::SIGUSR1);
    wait_until(&mut child, "a checkpoint", || has_checkpoint(&run));
    child.signal(libc::SIGKILL);
    child.wait().unwrap();
    let resumed = sandbox.run(&format!("{arguments} --output-dir asked --resume")).succeeded();
    assert!(resumed.stderr.contains("continuing after step"), "{}", resumed.stderr);
    assert_eq!(weights(&run), weights(&sandbox.path("straight")));
    assert_eq!(measured(&run), measured(&sandbox.path("straight")));
}

#[test]
fn a_run_that_is_asked_again_and_again_is_the_same_run() {
    let sandbox = Sandbox::new();
    let arguments = format!("train {TINY} --set data.limit.val=800 --set scheduler.epochs=2");
    sandbox.run(&format!("{arguments} --output-dir straight")).succeeded();
    let mut child = sandbox.start(&format!("{arguments} --output-dir asked"));
    let id = child.id();
    wait_until(&mut child, "a handler", || heeds_sigusr1(id));
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() && start.elapsed() < LIMIT {
        child.signal(libc::SIGUSR1);
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let ran = child.finish().succeeded();
    // Before the first step, which is measured for longest, as later.
    assert!(ran.stderr.contains("saved the state after step 0\n"), "{}", ran.stderr);
    assert_eq!(weights(&sandbox.path("asked")), weights(&sandbox.path("straight")));
    assert_eq!(measured(&sandbox.path("asked")), measured(&sandbox.path("straight")));
}

#[test]
fn a_command_that_has_nothing_to_save_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    for command in ["evaluate run --protocol knn", "embed run --split all --out e.npy", "report run"] {
        let mut child = sandbox.start(command);
        let id = child.id();
        wait_until(&mut child, command, || heeds_sigusr1(id));
        child.signal(libc::SIGUSR1);
        child.finish().succeeded();
    }
}
