//! `cargo xtask demo`: a first training run that needs no data.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build;
use crate::workspace::{Workspace, exit_code, run as run_command};

/// Builds, then trains with `configs/quickstart.yaml`; `args` go to `selfsame train`. An earlier demo is continued, so
/// that a second one shows the first one's results.
pub fn run(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode> {
    let packages = build::run(workspace)?;
    let mut train = Command::new(packages.binary());
    train.args(["train", "--config", "configs/quickstart.yaml", "--resume"]).args(args).current_dir(&workspace.root);
    Ok(exit_code(run_command(&mut train)?))
}
