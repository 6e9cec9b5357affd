//! Keeps standard output for results: what a plugin prints goes to standard error.

use rustix::stdio::dup2_stdout;
use std::fs::File;
use std::io::{self, Write, stderr, stdout};
use std::os::fd::AsFd;

/// Takes standard output for the caller alone; whatever else is printed, by plugins above all, goes to standard error.
///
/// # Errors
/// A standard output or error that is closed.
pub fn reserve() -> io::Result<File> {
    stdout().flush()?;
    let own = stdout().as_fd().try_clone_to_owned()?;
    dup2_stdout(stderr())?;
    Ok(File::from(own))
}
