//! One process at a time prepares a folder.

use crate::files::{self, failure};
use crate::{Result, Services};
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(200);

/// Waits for the lock file at `path`, which is made where there is none; it is held until the returned file is dropped.
///
/// # Errors
/// A lock that cannot be made or held, and a wish to stop.
pub fn acquire(path: &Path, services: &dyn Services) -> Result<File> {
    let file = files::open_with(File::options().create(true).truncate(false).write(true), path)
        .map_err(|error| failure("write", path, &error))?;
    let mut waiting = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !waiting {
                    tracing::info!("another process is preparing the same files; waiting for {}", path.display());
                    waiting = true;
                }
                services.progress("waiting for another process that prepares the same files", 0, None)?;
                thread::sleep(POLL);
            }
            // A network file system without its lock server says ENOLCK.
            Err(TryLockError::Error(error))
                if error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOLCK) =>
            {
                tracing::warn!("{}: this file system has no locks; do not prepare twice at once", path.display());
                return Ok(file);
            }
            Err(TryLockError::Error(error)) => return Err(failure("lock", path, &error)),
        }
    }
}
