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
fn a_plugin_folder_that_was_named_and_is_none_is_noted() {
    let sandbox = Sandbox::new();
    let found = doctor(&sandbox, "--plugins nowhere", "packed").succeeded().stdout;
    assert!(found.contains("note plugins in       nowhere (--plugins, no such folder)"), "{found}");
}
