//! Keeps standard output for results: what a plugin prints goes to standard error.

use std::fs::File;
use std::io::{self, Write, stderr, stdout};
use std::os::fd::{AsFd, AsRawFd};

/// Takes standard output for the caller alone; whatever else is printed, by plugins above all, goes to standard error.
///
/// # Errors
/// A standard output or error that is closed.
pub fn reserve() -> io::Result<File> {
    stdout().flush()?;
    let own = stdout().as_fd().try_clone_to_owned()?;
    // SAFETY: both descriptors belong to the process for good; `dup2` replaces the first in one step.
    if unsafe { libc::dup2(stderr().as_raw_fd(), stdout().as_raw_fd()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(File::from(own))
}
