//! The few file operations that a run's safety rests on, in one place so that a test can fail any of them.

use crate::regular_file;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// File operations that change the disk. [`Disk`] is the real one.
pub trait Storage: Send + Sync {
    /// Creates one folder; its parent exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Creates or empties a file and writes all of `bytes` to it, without syncing.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's contents survive a power cut.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names inside a folder survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or folder; atomic within one file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a folder and everything in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
}

/// The local file system.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Storage for Disk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create(path)?.write_all(bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }
}

/// A file operation that failed: what, where, why, and what to do where that is known.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}{}", path.display(), advice(action, source))]
pub struct FileError {
    /// What was tried, as in "cannot *write* …".
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's answer, with its error number.
    pub source: io::Error,
}

fn advice(action: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space there, then continue with --resume",
        ErrorKind::PermissionDenied if matches!(action, "open" | "read") => "; make it readable",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; make the folder writable or name another with --output-dir"
        }
        ErrorKind::NotFound if action == "write" => "; does its folder exist?",
        ErrorKind::IsADirectory => "; name a file",
        _ => "",
    }
}

/// Names the operation and the path in an I/O error.
pub trait Naming<T> {
    /// Turns an [`io::Error`] into a [`FileError`].
    fn naming(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Naming<T> for io::Result<T> {
    fn naming(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError { action, path: path.to_owned(), source })
    }
}

/// Replaces a file in one step: after a crash at any moment it holds either its old bytes or all of the new ones.
pub fn write_atomically(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    let written = storage.write(&temporary, bytes).naming("write", path);
    let synced = written.and_then(|()| storage.sync_file(&temporary).naming("sync", path));
    let replaced = synced.and_then(|()| storage.rename(&temporary, path).naming("replace", path));
    if let Err(error) = replaced {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let parent = parent_of(path);
    storage.sync_dir(parent).naming("sync", parent)
}

/// The folder that holds `path`; `.` for a bare name.
fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// SHA-256 of some bytes, as 64 lower-case hexadecimal digits.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file as 64 lower-case hexadecimal digits, and the file's size in bytes.
pub fn sha256_of_file(path: &Path) -> Result<(String, u64), FileError> {
    let mut file = regular_file::open(path).naming("open", path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match file.read(&mut buffer).naming("read", path)? {
            0 => return Ok((hex(&hasher.finalize()), size)),
            n => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_agree_with_the_standards_example() {
        // FIPS 180-2, appendix B.1
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of_bytes(b"abc"), expected);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert_eq!(sha256_of_file(&path).unwrap(), (expected.to_owned(), 3));
    }

    #[test]
    fn an_error_names_action_path_and_error_number() {
        let error = sha256_of_file(Path::new("no/such/file")).unwrap_err().to_string();
        assert_eq!(error, "cannot open no/such/file: No such file or directory (os error 2)");
        let full = FileError {
            action: "write",
            path: "runs/a".into(),
            source: io::Error::from_raw_os_error(28), // ENOSPC
        };
        assert!(full.to_string().contains("runs/a: No space left on device (os error 28); free some space"));
    }

    #[test]
    fn an_atomic_write_replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        write_atomically(&Disk, &path, b"one").unwrap();
        write_atomically(&Disk, &path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
