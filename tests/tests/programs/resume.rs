//! Interrupted runs end in the state that an uninterrupted one reaches, bit for bit.

use selfsame_tests::{Running, Sandbox, TINY, metrics};
use std::path::Path;
use std::time::{Duration, Instant};

const RUN: &str = "--set scheduler.epochs=3 --set train.checkpoint_every_steps=1";

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("encoder.safetensors")).expect("encoder.safetensors")
}

/// All tensors of the model in the newest checkpoint.
fn newest_state(run: &Path) -> Vec<u8> {
    let checkpoints = std::fs::read_dir(run.join("checkpoints")).expect("checkpoints");
    let newest = checkpoints.map(|entry| entry.expect("an entry").path()).max().expect("a checkpoint");
    std::fs::read(newest.join("model.safetensors")).expect("model.safetensors")
}

/// Waits until the run has committed `count` checkpoints since it was empty, or ended.
fn wait_for_checkpoints(child: &mut Running, run: &Path, step: u64) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        let reached = std::fs::read_dir(run.join("checkpoints")).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                entry.file_name().to_str().and_then(|name| name.strip_prefix("step-")?.parse::<u64>().ok())
                    >= Some(step)
            })
        });
        if reached || child.try_wait().expect("the child's state").is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no checkpoint of step {step}");
}

/// Finishes a run, and fails the test unless it went on from a checkpoint.
#[track_caller]
fn resume(sandbox: &Sandbox, arguments: &str) {
    let resumed = sandbox.run(&format!("train {TINY} {arguments} --resume")).succeeded();
    assert!(resumed.stderr.contains("continuing after step"), "{}", resumed.stderr);
}

/// The other methods, small, with everything that has a state of its own.
const METHODS: [&str; 8] = [
    "--set train.self_supervision.type=byol --set method.byol.predictor_hidden_dim=16",
    "--set train.self_supervision.type=byol --set method.byol.predictor_hidden_dim=16 --set method.byol.embedding=target \
     --set train.micro_batch_size=8 --set optimizer.clip_grad_norm=1",
    "--set train.self_supervision.type=vicreg --set train.encoder_ema_decay=0.9",
    "--set train.self_supervision.type=simsiam --set method.simsiam.predictor_hidden_dim=16",
    "--set train.self_supervision.type=moco_v2 --set method.moco_v2.queue_size=40 --set train.micro_batch_size=8",
    "--set train.self_supervision.type=moco_v3 --set method.moco_v3.predictor_hidden_dim=16",
    "--set train.self_supervision.type=dino --set method.dino.prototypes=32 --set optimizer.final_weight_decay=0.1 \
     --set augmentation.views=[{\"count\":2},{\"count\":2,\"size\":16}]",
    "--set train.self_supervision.type=lejepa --set method.lejepa.directions=16 --set train.micro_batch_size=8",
];

#[test]
fn ctrl_c_saves_and_resume_continues_exactly() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} {RUN} --output-dir straight")).succeeded();

    for (name, number, code) in
        [("interrupted", libc::SIGINT, 130), ("terminated", libc::SIGTERM, 143), ("hung-up", libc::SIGHUP, 129)]
    {
        let mut child = sandbox.start(&format!("train {TINY} {RUN} --output-dir {name}"));
        let run = sandbox.path(name);
        wait_for_checkpoints(&mut child, &run, 2);
        child.signal(number);
        let ran = child.finish();
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains("--resume"), "{}", ran.stderr);
        resume(&sandbox, &format!("{RUN} --output-dir {name}"));
        assert_eq!(weights(&sandbox.path("straight")), weights(&run), "after {name}");
    }
}

#[test]
fn a_killed_run_continues_exactly_from_its_newest_checkpoint() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} {RUN} --output-dir straight")).succeeded();
    let run = sandbox.path("killed");
    for step in [1, 4, 7] {
        let mut child = sandbox.start(&format!("train {TINY} {RUN} --output-dir killed --resume"));
        wait_for_checkpoints(&mut child, &run, step);
        child.signal(libc::SIGKILL);
        child.wait().unwrap();
    }
    resume(&sandbox, &format!("{RUN} --output-dir killed"));
    assert_eq!(weights(&sandbox.path("straight")), weights(&run));
}

#[test]
fn a_run_that_is_stopped_while_it_measures_loses_no_step() {
    let sandbox = Sandbox::new();
    let arguments = "--set scheduler.epochs=2 --set data.limit.val=800";
    sandbox.run(&format!("train {TINY} {arguments} --output-dir straight")).succeeded();
    let run = sandbox.path("stopped");
    let mut child = sandbox.start(&format!("train {TINY} {arguments} --output-dir stopped"));
    let events = |run: &Path| {
        let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
        [text.matches(r#""event":"step""#).count(), text.matches(r#""event":"epoch""#).count()]
    };
    let start = Instant::now();
    // The last step of an epoch is recorded before the validation split is embedded.
    while events(&run) == [0, 0] {
        assert!(start.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    child.signal(libc::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(events(&run), [1, 0], "stopped before the epoch was measured");
    assert!(run.join("checkpoints/step-00000004").exists());
    resume(&sandbox, &format!("{arguments} --output-dir stopped"));
    assert_eq!(weights(&run), weights(&sandbox.path("straight")));
    let lines = |name: &str| -> Vec<_> {
        let measured = |line: serde_json::Value| (line["event"] == "epoch").then(|| line["metrics"].clone());
        metrics(&sandbox.path(name)).into_iter().filter_map(measured).collect()
    };
    assert_eq!(lines("stopped"), lines("straight"));
}

#[test]
fn without_its_record_a_run_is_not_continued() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    sandbox.write("run/run.json", "{");
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=2 --output-dir run --resume")).failed(3, &["run.json"]);
}

#[test]
fn every_methods_own_state_continues_exactly() {
    let sandbox = Sandbox::new();
    for (index, method) in METHODS.iter().enumerate() {
        let [straight, killed] = ["straight", "killed"].map(|name| sandbox.path(&format!("{name}-{index}")));
        let arguments = |run: &Path, more: &str| format!("{method} {more} --output-dir {}", run.display());
        let whole = "--set scheduler.epochs=3";
        sandbox.run(&format!("train {TINY} {}", arguments(&straight, whole))).succeeded();
        // Stopped within an epoch, at a step that a checkpoint was asked for.
        let mut child = sandbox.start(&format!("train {TINY} {}", arguments(&killed, RUN)));
        wait_for_checkpoints(&mut child, &killed, 2);
        child.signal(libc::SIGKILL);
        child.wait().unwrap();
        assert!(!killed.join("encoder.safetensors").exists(), "killed before the end");
        resume(&sandbox, &arguments(&killed, whole));
        assert_eq!(weights(&killed), weights(&straight), "{method}");
        assert_eq!(newest_state(&killed), newest_state(&straight), "{method}: heads, averages, queues and centres");
    }
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_used() {
    let sandbox = Sandbox::new();
    let long = format!("train {TINY} {RUN} --set train.checkpoint_period=1 --output-dir run");
    sandbox.run(&long).succeeded();
    let expected = weights(&sandbox.path("run"));
    let newest = std::fs::read_dir(sandbox.path("run/checkpoints")).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let file = newest.join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = sandbox.run(&format!("{long} --resume")).succeeded();
    assert!(ran.stderr.contains("continuing after step"), "{}", ran.stderr);
    assert!(ran.stderr.contains("model.safetensors"), "{}", ran.stderr);
    assert_eq!(weights(&sandbox.path("run")), expected);
}

#[test]
fn resuming_with_another_encoder_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    let other = "--set train.self_supervision.encoder_name=resnet20 --resume";
    sandbox
        .run(&format!("train {TINY} {other} --set scheduler.epochs=1 --output-dir run"))
        .failed(2, &["train.self_supervision.encoder_name", "resnet8", "resnet20"]);
}
