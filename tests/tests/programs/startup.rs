//! What the program does before a command.

use selfsame_tests::{PREPARED, Running, Sandbox, TINY};
use std::process::Stdio;
use std::time::Duration;

/// The environment that a process was started with.
fn environment(id: u32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    bytes.split(|&byte| byte == 0).map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
}

#[test]
fn training_starts_itself_again_with_what_libraries_read_before_main_and_a_users_values_win() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&format!("train {TINY} --set scheduler.epochs=1000 --output-dir run"));
    for (name, _) in PREPARED {
        command.env_remove(name);
    }
    command.env("OMP_WAIT_POLICY", "ACTIVE").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Running::start(&mut command);
    let prepared = |id| environment(id).iter().any(|entry| entry.starts_with("MALLOC_MMAP_MAX_="));
    while !prepared(child.id()) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let environment = environment(child.id());
    for (name, value) in PREPARED {
        let value = if name == "OMP_WAIT_POLICY" { "ACTIVE" } else { value };
        assert!(environment.contains(&format!("{name}={value}")), "{name} in {environment:?}");
    }
}
