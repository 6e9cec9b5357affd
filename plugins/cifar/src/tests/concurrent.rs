//! Several processes that prepare the same folder at once.

use super::server::{Reply, Server};
use super::*;
use std::env;
use std::process::Command;
use std::thread;
use tempfile::TempDir;

const ROOT: &str = "CIFAR_TEST_ROOT";
const MIRROR: &str = "CIFAR_TEST_MIRROR";

#[test]
#[ignore = "a part of processes_download_once, which starts it in processes of their own"]
fn child() {
    let (Some(root), Ok(mirror)) = (env::var_os(ROOT), env::var(MIRROR)) else { return };
    let cifar = dataset(&CIFAR10, Path::new(&root), from_mirror(&mirror));
    cifar.prepare(&Patient).unwrap();
    assert_synthetic(&CIFAR10, &cifar);
}

#[test]
fn processes_download_once() {
    let body = archive();
    let server = Server::start(move |_, _| {
        // Long enough for the other process to arrive.
        thread::sleep(Duration::from_millis(500));
        Reply::ok(&body)
    });
    let root = TempDir::new().unwrap();
    let start = || {
        Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tests::concurrent::child"])
            .env(ROOT, root.path())
            .env(MIRROR, &server.address)
            .spawn()
            .unwrap()
    };
    for mut process in [start(), start(), start()] {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(server.requests().len(), 1);
}
