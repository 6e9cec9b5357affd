//! Opens files that must be regular ones: a named pipe would be waited for without end.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file for reading; anything else is an error.
pub fn open(path: &Path) -> io::Result<File> {
    judged(OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?)
}

/// As [`open`], with other options, for a file that is written: its name is not followed where it is a link.
pub fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    judged(options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?)
}

fn judged(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file")),
    }
}
