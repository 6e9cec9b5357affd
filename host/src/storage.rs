//! The few file operations that a run's safety rests on, in one place so that a test can fail any of them.

use crate::regular_file;
use base16ct::lower;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};

/// File operations that change the disk. [`Disk`] is the real one.
pub trait Storage: Send + Sync {
    /// Creates one folder; its parent exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Creates a file and writes all of `bytes` to it, without syncing. A name that is taken, be it by a link, is an error;
    /// a file that cannot be written whole is removed. The file is locked as long as it is held.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File>;
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

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        let mut file = create_locked(path)?;
        let written = file.write_all(bytes);
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written.map(|()| file)
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
    /// What the system says, with its error number.
    pub source: io::Error,
}

fn advice(action: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space there",
        ErrorKind::PermissionDenied if matches!(action, "open" | "read") => "; make it readable",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; make the folder writable, or name another one"
        }
        ErrorKind::NotFound if action == "write" => "; does its folder exist?",
        ErrorKind::IsADirectory => "; name a file",
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory if action == "create" => {
            "; a file stands where a folder is to be: name another one"
        }
        _ if error.raw_os_error() == Some(libc::ELOOP) => {
            "; it is a symbolic link, which is not followed here: remove it"
        }
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
///
/// A link of that name is replaced, never followed. Of several processes that write at once, the last one wins.
pub fn write_atomically(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let (lock, unfinished) = beside(path, |name| storage.write(name, bytes))?.into_parts();
    put_in_place(storage, Temporary { path: unfinished, _lock: lock }, path)
}

/// An unfinished file under a name that nobody can foresee. It is removed when this is dropped; where the process was killed, by
/// the next one that writes a file of the final name.
#[derive(Debug)]
pub struct Temporary {
    path: TempPath,
    /// Says that somebody still writes.
    _lock: File,
}

/// A new, empty file beside `path`, for [`put_in_place`].
pub fn create_beside(path: &Path) -> Result<(File, Temporary), FileError> {
    let (file, unfinished) = beside(path, create_locked)?.into_parts();
    let lock = file.try_clone().naming("write", path)?;
    Ok((file, Temporary { path: unfinished, _lock: lock }))
}

/// Syncs a finished file and gives it its name, in one step.
pub fn put_in_place(storage: &dyn Storage, temporary: Temporary, path: &Path) -> Result<(), FileError> {
    let unfinished = temporary.path;
    storage.sync_file(&unfinished).naming("sync", path)?;
    storage.rename(&unfinished, path).naming("replace", path)?;
    unfinished.keep().map_err(io::Error::from).naming("replace", path)?;
    let parent = parent_of(path);
    storage.sync_dir(parent).naming("sync", parent)
}

/// Makes a hidden file `.NAME.RANDOM.tmp` beside `path`; `make` fails where its name is taken.
fn beside(path: &Path, make: impl FnMut(&Path) -> io::Result<File>) -> Result<NamedTempFile<File>, FileError> {
    // What cannot be cleared now stays for another time.
    let _ = remove_temporaries(path);
    let prefix = temporary_prefix(path);
    let builder = &mut tempfile::Builder::new();
    builder.prefix(OsStr::from_bytes(&prefix)).suffix(TEMPORARY).make_in(parent_of(path), make).naming("write", path)
}

/// A new file with a lock that its process holds, on file systems that have locks. One that another process took for a leftover
/// and removed counts as a name that is taken.
fn create_locked(path: &Path) -> io::Result<File> {
    let file = File::create_new(path)?;
    let is_held = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    let is_there = fs::symlink_metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|own| own.ino() == now.ino()));
    if is_held || !is_there { Err(ErrorKind::AlreadyExists.into()) } else { Ok(file) }
}

const TEMPORARY: &str = ".tmp";

fn temporary_prefix(path: &Path) -> Vec<u8> {
    [b".", path.file_name().unwrap_or_default().as_bytes(), b"."].concat()
}

/// Removes what processes that were killed left of files that were to become `path`: nobody has a lock on it.
pub fn remove_temporaries(path: &Path) -> Result<(), FileError> {
    let (parent, prefix) = (parent_of(path), temporary_prefix(path));
    for entry in fs::read_dir(parent).naming("list", parent)? {
        let name = entry.naming("list", parent)?.file_name();
        let is_temporary = |name: &[u8]| {
            name.strip_prefix(prefix.as_slice())
                .is_some_and(|rest| rest.len() > TEMPORARY.len() && rest.ends_with(TEMPORARY.as_bytes()))
        };
        let left = parent.join(&name);
        if !is_temporary(name.as_bytes()) {
            continue;
        }
        let Ok(file) = regular_file::opened(File::options().read(true), &left) else { continue };
        match file.try_lock() {
            Ok(()) => remove_if_there(&left)?,
            Err(_) => tracing::debug!("{} is being written, or cannot be locked, and stays", left.display()),
        }
    }
    Ok(())
}

/// Removes a file, where there is one.
pub fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).naming("remove", path),
        _ => Ok(()),
    }
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
    lower::encode_string(&Sha256::digest(bytes))
}

/// SHA-256 of a file as 64 lower-case hexadecimal digits, and the file's size in bytes.
pub fn sha256_of_file(path: &Path) -> Result<(String, u64), FileError> {
    let mut file = regular_file::open(path).naming("open", path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match file.read(&mut buffer).naming("read", path)? {
            0 => return Ok((lower::encode_string(&hasher.finalize()), size)),
            n => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

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
        fs::create_dir(dir.path().join("folder")).unwrap();
        let error = write_atomically(&Disk, &dir.path().join("folder"), b"three").unwrap_err().to_string();
        assert!(error.contains("folder"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "a failure leaves nothing");
    }

    #[test]
    fn a_link_at_the_target_is_replaced_and_what_it_names_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("run.json"), dir.path().join("other"));
        fs::write(&other, "mine").unwrap();
        symlink(&other, &path).unwrap();
        write_atomically(&Disk, &path, b"one").unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!((fs::read(&path).unwrap(), fs::read(&other).unwrap()), (b"one".to_vec(), b"mine".to_vec()));
        symlink(&other, dir.path().join("link")).unwrap();
        let error = regular_file::opened(File::options().append(true), &dir.path().join("link"))
            .naming("open", Path::new("link"))
            .unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert!(Disk.write(&dir.path().join("link"), b"two").is_err());
        assert_eq!(fs::read(&other).unwrap(), b"mine");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        for name in [".run.json.aB3dEf.tmp", ".run.jsonl.aB3dEf.tmp", "run.json", ".run.json"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let written = create_beside(&dir.path().join("run.jsonl")).unwrap();
        remove_temporaries(&dir.path().join("run.jsonl")).unwrap();
        let count = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(count, 4, "the one that nobody holds is gone, the one that is being written is there");
        fs::write(dir.path().join(".run.jsonl.aB3dEf.tmp"), "").unwrap();
        drop(written);
        write_atomically(&Disk, &path, b"").unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".run.json", ".run.jsonl.aB3dEf.tmp", "run.json"]);
    }
}
