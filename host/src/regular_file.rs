//! Opens files that must be regular ones: a named pipe that lies in a folder would be waited for without end, and a link
//! would have another file written.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Error, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Opens a regular file for reading, without waiting for the writer of a pipe. What is judged is the opened file, so that
/// nobody can put another one in its place in between.
///
/// # Errors
/// A file that cannot be opened, and one that is not regular, with the word for what it is.
pub fn open(path: &Path) -> io::Result<File> {
    judged(OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?)
}

/// As [`open`], with other options, for a file that is written: its name is not followed where it is a link.
///
/// # Errors
/// As [`open`], and a link.
pub fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    judged(options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?)
}

fn judged(file: File) -> io::Result<File> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let code = if kind.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::InvalidInput };
    Err(Error::new(code, format!("is {}, expected a regular file", word(kind))))
}

/// The bytes of a regular file.
///
/// # Errors
/// As [`open`], and bytes that cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a regular file.
///
/// # Errors
/// As [`read`], and bytes that are not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

fn word(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_block_device() || kind.is_char_device() => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::cache_entries;
    use crate::evaluate::TrainedRun;
    use crate::lock::FileLock;
    use crate::plugin::{install, skeleton};
    use crate::run::record::RunRecord;
    use crate::storage::sha256_of_file;
    use crate::train::initial_weights::InitialWeights;
    use std::path::PathBuf;

    /// A named pipe that nobody writes to.
    fn pipe(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        path
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let message = |path: &Path| open(path).unwrap_err().to_string();
        assert_eq!(message(&pipe(folder.path(), "pipe")), "is a named pipe, expected a regular file");
        assert_eq!(message(folder.path()), "is a folder, expected a regular file");
        assert_eq!(message(Path::new("/dev/zero")), "is a device, expected a regular file");
        assert!(open(&folder.path().join("socket")).is_err());
        std::fs::write(folder.path().join("file"), "text").unwrap();
        assert_eq!(read_text(&folder.path().join("file")).unwrap(), "text");
    }

    #[test]
    fn no_reader_of_folders_and_weights_waits_for_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert!(sha256_of_file(&pipe(dir, "any")).is_err());
        assert!(FileLock::attempt(&pipe(dir, "lock")).is_err());
        assert!(InitialWeights::read("init", &pipe(dir, "init.safetensors"), None).is_err());
        assert!(install::install(&pipe(dir, "lib.so"), &dir.join("to"), false, &[]).is_err());
        pipe(dir, "Cargo.toml");
        assert!(skeleton::create(dir, "name", skeleton::Kind::Dataset, skeleton::Api::Folder(dir)).is_err());
        pipe(dir, "run.json");
        assert!(RunRecord::read(dir).is_err() && TrainedRun::open(dir).is_err());
        pipe(dir, "metrics.jsonl");
        assert!(crate::run::metrics::read(dir).is_err());
        std::fs::create_dir(dir.join("entry")).unwrap();
        pipe(&dir.join("entry"), "entry.json");
        assert_eq!(cache_entries::entries(dir).unwrap().len(), 0);
    }
}
