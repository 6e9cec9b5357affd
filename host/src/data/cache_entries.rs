//! The entries of a cache folder, for people who want their disk back.

use super::store::EntryKey;
use crate::lock::{Attempt, FileLock};
use crate::regular_file;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One entry of the packed cache.
#[derive(Debug)]
pub struct Entry {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was made from.
    pub key: EntryKey,
    /// Bytes on disk.
    pub bytes: u64,
}

/// All entries below `cache_dir`, by name; a folder that does not exist has none. Anything else in it is not looked at.
///
/// # Errors
/// A folder that cannot be read.
pub fn entries(cache_dir: &Path) -> io::Result<Vec<Entry>> {
    let folders = match fs::read_dir(cache_dir) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    for folder in folders {
        let folder = folder?.path();
        let Ok(described) = regular_file::read(&folder.join("entry.json")) else { continue };
        let Ok(key) = serde_json::from_slice::<EntryKey>(&described) else { continue };
        // Only what bears the name that this program gives it is this program's to remove.
        if key.folder(cache_dir) != folder {
            continue;
        }
        // Files come and go while other processes write.
        let sizes = fs::read_dir(&folder)?.flatten().filter_map(|file| Some(file.metadata().ok()?.len()));
        let bytes = sizes.sum();
        entries.push(Entry { folder, key, bytes });
    }
    entries.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(entries)
}

/// Removes an entry and says whether it did; one that a process writes at the moment stays. A process that reads it keeps
/// its pixels until it ends.
///
/// # Errors
/// Files that cannot be removed.
pub fn remove(entry: &Entry) -> io::Result<bool> {
    match FileLock::attempt(&entry.folder.join("write.lock"))? {
        Attempt::Held(_) => Ok(false),
        Attempt::Locked(_lock) => fs::remove_dir_all(&entry.folder).map(|()| true),
    }
}
