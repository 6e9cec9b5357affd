//! `cargo xtask test`: all tests, on a machine that may have nothing yet.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::build;
use crate::workspace::{Workspace, exit_code, run as run_command};

/// Builds everything that the whole-program tests drive, then runs `cargo test`.
pub fn run(workspace: &Workspace, args: &[OsString], harness: &[OsString]) -> Result<ExitCode> {
    build::run(workspace)?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release"]);
    if !selects_packages(args) {
        cargo.arg("--workspace");
    }
    cargo.args(args);
    if !harness.is_empty() {
        cargo.arg("--").args(harness);
    }
    Ok(exit_code(run_command(&mut cargo)?))
}

/// Whether the arguments name packages; beside `--workspace`, cargo would not heed them.
fn selects_packages(args: &[OsString]) -> bool {
    args.iter().filter_map(|arg| arg.to_str()).any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_packages_replace_the_workspace() {
        let selects = |args: &[&str]| selects_packages(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(selects(&["-p", "selfsame"]) && selects(&["-pselfsame"]) && selects(&["--package=selfsame"]));
        assert!(!selects(&[]) && !selects(&["rejects_truncated_file", "--no-fail-fast"]));
    }
}
