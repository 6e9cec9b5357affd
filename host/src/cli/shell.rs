//! What a shell and `man` want to know of the command line.

use super::args::Cli;
use super::failure::Failure;
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;

/// The script that completes commands, options and files in this shell.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "selfsame", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes `selfsame.1` and a page for each command into a folder.
///
/// # Errors
/// A folder that cannot be made or written to.
pub fn man(folder: &Path) -> Result<(), Failure> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| Failure::data(format!("the man pages cannot be written to {}: {error}", folder.display())))
}
