//! Files that are written in folders that others may write to: no link is followed, and no process trips over another.

use selfsame_tests::{Sandbox, TINY};
use std::os::unix::fs::symlink;
use std::path::Path;

/// A sandbox with a run of one epoch in `run`.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    sandbox
}

fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.is_file())
}

/// Names of temporary files below the sandbox's folder.
fn temporaries(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(sandbox.path(folder)).unwrap().flatten();
    let names = entries.filter(|entry| is_file(&entry.path())).map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn a_planted_link_is_never_followed() {
    let sandbox = trained();
    let victim = sandbox.write("victim", "mine");
    let commands = [
        ("report run", "run/report.html"),
        ("evaluate run --protocol knn", "run/evaluations/knn-shapes-test.json"),
        ("export run --out e.safetensors --force", "e.safetensors"),
        ("export run --out e.pt --force", "e.pt"),
        ("embed run --split val --out e.npy --force", "e.npy"),
        ("embed run --split val --out e.npy --force", "e.csv"),
        ("embed run --split val --out e.parquet --force", "e.parquet"),
        (&format!("preview {TINY} --samples 1 --views 1 --out e.png --force"), "e.png"),
        (&format!("train {TINY} --set scheduler.epochs=1 --output-dir new"), "new/config.yaml"),
    ];
    for (command, target) in commands {
        let path = sandbox.path(target);
        let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
        std::fs::create_dir_all(folder).unwrap();
        let planted = folder.join(format!(".{name}.tmp"));
        let _ = std::fs::remove_file(&path);
        symlink(&victim, &planted).unwrap();
        symlink(&victim, &path).unwrap();
        sandbox.run(command).succeeded();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine", "{command}");
        assert!(is_file(&path), "{target} is still a link");
        let _ = std::fs::remove_file(planted);
    }
    // What stays the same file for as long as a run lasts.
    std::fs::create_dir(sandbox.path("locked")).unwrap();
    symlink(&victim, sandbox.path("locked/run.lock")).unwrap();
    sandbox.run(&format!("train {TINY} --output-dir locked")).failed(2, &["run.lock", "symbolic link"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
}

#[test]
fn three_processes_may_write_one_file_at_once() {
    let sandbox = trained();
    let commands = [
        "report run",
        "evaluate run --protocol knn",
        "export run --out e.safetensors --force",
        "embed run --split val --out e.npy --force",
    ];
    for command in commands.into_iter().cycle().take(12) {
        let children: Vec<_> = (0..3).map(|_| sandbox.start(command)).collect();
        for child in children {
            child.finish().succeeded();
        }
    }
    for folder in [".", "run", "run/evaluations"] {
        assert_eq!(temporaries(&sandbox, folder), [""; 0], "{folder}");
    }
}

#[test]
fn what_a_killed_command_left_is_cleared_by_the_next_one() {
    let sandbox = trained();
    for (command, folder, left) in [
        ("embed run --split val --out e.npy", ".", &[".e.npy.aB3dEf.tmp", ".e.csv.aB3dEf.tmp"][..]),
        ("export run --out e.safetensors", ".", &[".e.safetensors.aB3dEf.tmp"]),
        ("export run --out e.pt", ".", &[".e.pt.aB3dEf.tmp"]),
        ("report run", "run", &[".report.html.aB3dEf.tmp"]),
        ("evaluate run --split val --protocol knn", "run/evaluations", &[".knn-shapes-val.json.aB3dEf.tmp"]),
    ] {
        std::fs::create_dir_all(sandbox.path(folder)).unwrap();
        for name in left {
            sandbox.write(&format!("{folder}/{name}"), "half");
        }
        sandbox.run(command).succeeded();
        assert_eq!(temporaries(&sandbox, folder), [""; 0], "{command}");
    }
}

#[test]
fn a_run_clears_what_a_killed_process_left() {
    let sandbox = trained();
    sandbox.write("run/.run.json.aB3dEf.tmp", "{");
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run --resume")).succeeded();
    assert_eq!(temporaries(&sandbox, "run"), [""; 0]);
}
