//! A lock on a file, by which processes keep out of each other's way.

use crate::regular_file;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A locked file. The system takes the lock back when its holder drops it or ends, however it ends; the file stays.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// What came of trying to lock a file.
#[derive(Debug)]
pub enum Attempt {
    /// This process has the lock now.
    Locked(FileLock),
    /// Another one has it: `process N`, or `another process` where its id cannot be read.
    Held(String),
}

impl FileLock {
    /// Locks the file at `path`, which is made where it is missing, without waiting.
    ///
    /// On file systems without locks it warns and goes on. A link of that name is not followed.
    ///
    /// # Errors
    /// A link, and a file that cannot be made, locked or written.
    pub fn attempt(path: &Path) -> io::Result<Attempt> {
        let mut file =
            regular_file::opened(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let readable = file.read_to_string(&mut pid).is_ok() && pid.trim().parse::<u32>().is_ok();
                let holder = if readable { format!("process {}", pid.trim()) } else { "another process".into() };
                return Ok(Attempt::Held(holder));
            }
            // A network file system without its lock server says ENOLCK.
            Err(TryLockError::Error(error))
                if error.kind() == ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOLCK) =>
            {
                tracing::warn!("{} cannot be locked here ({error}); let no second process write there", path.display());
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // A file that was removed while this process waited locks nothing.
        if file.metadata()?.ino() != std::fs::metadata(path)?.ino() {
            return Self::attempt(path);
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Attempt::Locked(FileLock { _file: file }))
    }
}
