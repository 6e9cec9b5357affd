//! `selfsame doctor` on this machine: places that the user chose.

use selfsame_tests::{Running, Sandbox};

fn doctor(sandbox: &Sandbox, arguments: &str, cache: &str) -> selfsame_tests::Ran {
    let mut command = sandbox.command(&format!("doctor {arguments}"));
    Running::start(command.env("SELFSAME_DATA__CACHE_DIR", cache)).finish()
}

#[test]
fn the_cache_that_the_environment_names_is_examined() {
    let sandbox = Sandbox::new();
    let found = doctor(&sandbox, "", "later/packed").succeeded().stdout;
    let shown = sandbox.path("later/packed");
    assert!(found.contains(&format!("ok   cache            {}, ", shown.display())), "{found}");
    assert!(!shown.exists(), "looking makes nothing");

    std::fs::write(sandbox.path("file"), "").unwrap();
    let refused = doctor(&sandbox, "", "file/packed").failed(5, &["not ready: cache"]);
    assert!(refused.stdout.contains("file is not a folder"), "{}", refused.stdout);
}

#[test]
fn processes_measure_their_exchange_and_one_speaks() {
    let sandbox = Sandbox::new();
    let alone = doctor(&sandbox, "", "packed").succeeded().stdout;
    assert!(alone.contains("ok   collectives      Gloo, between processes on CPUs"), "{alone}");
    let ran = doctor(&sandbox, "--processes 2 --json", "packed").succeeded();
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let lines: Vec<_> =
        found["lines"].as_array().unwrap().iter().filter(|line| line["name"] == "collectives").collect();
    assert_eq!(lines.len(), 1, "{}", ran.stdout);
    let said = lines[0]["found"].as_str().unwrap();
    assert!(said.starts_with("all-reduce of 64 MiB over 2 processes by Gloo: ") && said.contains(" GB/s"), "{said}");
}

#[test]
fn a_plugin_folder_that_was_named_and_is_none_is_noted() {
    let sandbox = Sandbox::new();
    let found = doctor(&sandbox, "--plugins nowhere", "packed").succeeded().stdout;
    assert!(found.contains("note plugins in       nowhere (--plugins, no such folder)"), "{found}");
}
