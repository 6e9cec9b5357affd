//! What is written, what is never replaced, and what happens when it cannot be written.

use selfsame_tests::{Running, Sandbox, TINY};

#[test]
fn a_diverged_encoder_ends_the_run_and_replaces_no_checkpoint() {
    let sandbox = Sandbox::new();
    let wild = "--set optimizer.name=sgd --set train.base_lr=1e6 --set scheduler.warmup_epochs=0";
    let ran = sandbox.run(&format!("train {TINY} {wild} --set scheduler.epochs=2 --output-dir run"));
    ran.failed(2, &["train.base_lr", "There is no checkpoint yet"]);
    assert!(!sandbox.path("run/encoder.safetensors").exists());
    let kept = std::fs::read_dir(sandbox.path("run/checkpoints")).map_or(0, |entries| entries.count());
    assert_eq!(kept, 0);
}

#[test]
fn what_most_likely_made_the_loss_infinite_is_named_and_what_is_saved_is_true() {
    let sandbox = Sandbox::new();
    let train = format!("train {TINY} --set scheduler.epochs=1");
    for (set, key) in [
        ("method.temperature=1e-40", "`method.temperature`, which is 1e-40 where 0.5 is usual"),
        ("optimizer.weight_decay=1e30", "`optimizer.weight_decay`"),
    ] {
        let ran = sandbox.run(&format!("{train} --set {set} --output-dir run"));
        ran.failed(2, &[key, "There is no checkpoint yet"]);
        std::fs::remove_dir_all(sandbox.path("run")).unwrap();
    }
    sandbox.run(&format!("{train} --output-dir run")).succeeded();
    let before = std::fs::read(sandbox.path("run/checkpoints/step-00000004/manifest.json")).unwrap();
    let ran = sandbox.run("train --resume run --set scheduler.epochs=2 --set train.base_lr=1e30");
    ran.failed(2, &["train.base_lr", "The last checkpoint is untouched"]);
    assert_eq!(std::fs::read(sandbox.path("run/checkpoints/step-00000004/manifest.json")).unwrap(), before);
}

#[test]
fn a_report_that_cannot_be_written_is_read_all_the_same() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    std::fs::remove_file(sandbox.path("run/report.html")).unwrap();
    std::fs::create_dir(sandbox.path("run/report.html")).unwrap();
    let ran = sandbox.run("report run");
    assert!(ran.stdout.contains("completed, 1 of 1 epochs"), "{}", ran.stdout);
    let ran = ran.failed(3, &["report.html"]);
    for option in ["--resume", "--output-dir"] {
        assert!(!ran.stderr.contains(option), "{}", ran.stderr);
    }
}

#[test]
fn messages_that_nobody_can_read_end_no_run_and_a_lost_result_is_an_error() {
    let sandbox = Sandbox::new();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let arguments = format!("train {TINY} --set scheduler.epochs=1 --output-dir run");
    let ran = Running::start(sandbox.command(&arguments).stderr(full())).finish().succeeded();
    assert!(ran.stdout.contains("trained"), "{}", ran.stdout);
    let ran = Running::start(sandbox.command("report run").stdout(full())).finish();
    ran.failed(3, &["standard output"]);
}

#[test]
fn what_a_run_made_is_replaced_only_when_asked() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    sandbox.run("export run --out weights.safetensors").succeeded();
    sandbox.run("export run --out weights.safetensors").failed(2, &["weights.safetensors exists", "--force"]);
    sandbox.run("export run --out weights.safetensors --force").succeeded();
    sandbox.run("export run --out weights.bin").failed(2, &["weights.bin", ".safetensors or .pt"]);
    sandbox
        .run("export run --out nowhere/weights.pt --format safetensors")
        .failed(3, &["nowhere/weights.pt", "folder"]);
    std::fs::create_dir(sandbox.path("folder.pt")).unwrap();
    sandbox.run("export run --out folder.pt --force").failed(3, &["folder.pt"]);
    let left: Vec<_> = std::fs::read_dir(sandbox.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
    sandbox.run("evaluate nowhere").failed(3, &["nowhere", "name a run's folder"]);
    sandbox.run("report .").failed(3, &["holds no run"]);
}
