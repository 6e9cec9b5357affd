//! Files, with errors that name them.

use crate::{PluginError, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file for reading: a named pipe would be waited for without end.
///
/// # Errors
/// A file that is not there, cannot be read or is no regular file, by its path.
pub fn open(path: &Path) -> Result<File> {
    open_regular(path).map_err(|error| failure("read", path, &error))
}

/// All bytes of a regular file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|error| failure("read", path, &error))?;
    Ok(bytes)
}

/// What could not be done with a file: `could not read a/b.png: …`.
pub fn failure(action: &str, path: &Path, error: &io::Error) -> PluginError {
    PluginError::data(format!("could not {action} {}: {error}", path.display()))
}

/// As [`open`], with the error as the system gives it.
///
/// # Errors
/// As [`open`].
pub fn open_regular(path: &Path) -> io::Result<File> {
    judged(OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?)
}

/// As [`open_regular`], with other options, for a file that is written: its name is not followed where it is a link.
///
/// # Errors
/// As [`open`], and a link.
pub fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    judged(options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?)
}

fn judged(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file() {
        let message = read(Path::new("no/such.bin")).unwrap_err().message;
        assert!(message.starts_with("could not read no/such.bin: "), "{message}");
        let message = read(Path::new("/dev/null")).unwrap_err().message;
        assert!(message.ends_with("/dev/null: expected a regular file"), "{message}");
        assert!(!read(Path::new("Cargo.toml")).unwrap().is_empty());
    }
}
