//! What `selfsame plugins check` says about the built plugin.

use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_plugin_keeps_its_contract() {
    let built = Command::new(env!("CARGO")).args(["build", "--release"]).status();
    assert!(built.is_ok_and(|status| status.success()), "`cargo build --release` failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let library = target.join("release/lib{{library}}.so");
    let program = std::env::var_os("SELFSAME").unwrap_or("selfsame".into());
    let checked = Command::new(&program).args(["plugins", "check"]).arg(library).status();
    let checked = checked.unwrap_or_else(|error| {
        panic!("cannot run {program:?}: {error}; put `selfsame` on the PATH, or name the program in SELFSAME")
    });
    assert!(checked.success(), "a check failed; its verdict is above");
}
