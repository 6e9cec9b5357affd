//! Checkpoints: folders that appear whole or not at all, and that notice every changed bit.
//!
//! `checkpoints/step-NNNNNNNN/` holds one safetensors file per group of tensors, `state.json` and `manifest.json` with
//! the size and SHA-256 of each. It is written under a temporary name and committed by one rename; what is "latest" is
//! computed by checking, never read from a pointer.

mod background;
mod manifest;
#[cfg(test)]
mod tests;

pub use background::BackgroundWriter;

use super::files::METRICS_FILE;
use super::lock::RunLock;
use super::tensors::{from_safetensors, to_safetensors};
use crate::error::Error;
use crate::regular_file;
use crate::storage::{Disk, FileError, Naming, Storage, sha256_of_bytes, sha256_of_file};
use background::Prepared;
use manifest::{FileEntry, MANIFEST_FILE, Manifest};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tch::Tensor;

/// The folder in a run's folder that holds its checkpoints.
pub const CHECKPOINTS_DIR: &str = "checkpoints";
const STATE_FILE: &str = "state.json";
const TENSORS: &str = ".safetensors";

/// Named tensors, by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// What a checkpoint holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// The tensors of each group, on the CPU.
    pub groups: BTreeMap<String, Tensors>,
    /// The caller's state.
    pub state: Value,
}

/// A checkpoint on disk whose every file had the recorded size and SHA-256 when it was looked up.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The global step after which it was written.
    pub step: u64,
    /// Its folder.
    pub path: PathBuf,
}

impl Checkpoint {
    /// Reads everything, checking each file again as it is read.
    pub fn load(&self) -> Result<Contents, Error> {
        let damaged = |reason: String| damaged(&self.path, &reason);
        let manifest = Manifest::read(&self.path, self.step).map_err(damaged)?;
        let mut contents = Contents { groups: BTreeMap::new(), state: Value::Null };
        for (name, entry) in &manifest.files {
            let path = self.path.join(name);
            let bytes = regular_file::read(&path).naming("read", &path)?;
            entry.compare(name, bytes.len() as u64, &sha256_of_bytes(&bytes)).map_err(damaged)?;
            if let Some(group) = name.strip_suffix(TENSORS) {
                let tensors = from_safetensors(&bytes).map_err(|e| damaged(format!("`{name}`: {e}")))?;
                contents.groups.insert(group.to_owned(), tensors);
            } else {
                contents.state = serde_json::from_slice(&bytes).map_err(|e| damaged(format!("`{name}`: {e}")))?;
            }
        }
        Ok(contents)
    }

    /// What has to be known of a `metrics.jsonl` that is no longer what it was when the checkpoint was written, but for what was
    /// appended since.
    pub fn changed_metrics(&self, run_dir: &Path) -> Option<String> {
        let written = Manifest::read(&self.path, self.step).ok()?.metrics?;
        let path = run_dir.join(METRICS_FILE);
        let bytes = regular_file::read(&path).unwrap_or_default();
        let start = &bytes[..bytes.len().min(written.size as usize)];
        let changed = written.compare(METRICS_FILE, start.len() as u64, &sha256_of_bytes(start)).err()?;
        Some(format!(
            "{} was cut or changed since the checkpoint of step {} was written ({changed}): curves and values up to that step are \
             not what was measured; put the file back from a copy",
            path.display(),
            self.step
        ))
    }
}

/// The newest intact checkpoint in a run's folder, if there is one.
///
/// A damaged newer one is passed over with a warning that names it and says what is wrong; it is never deleted.
pub fn latest(run_dir: &Path) -> Result<Option<Checkpoint>, Error> {
    let mut found = committed(&run_dir.join(CHECKPOINTS_DIR))?;
    while let Some(Committed { step, path, .. }) = found.pop() {
        match verify(&path, step) {
            Ok(_) => return Ok(Some(Checkpoint { step, path })),
            Err(reason) => tracing::warn!("passing over checkpoint {}: {reason}", path.display()),
        }
    }
    Ok(None)
}

/// The checkpoint in one folder, `checkpoints/step-NNNNNNNN`.
///
/// # Errors
/// A folder that is none, or that is damaged.
pub fn at(path: &Path) -> Result<Checkpoint, Error> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let step = parse_name(name.strip_suffix(OLD).unwrap_or(name)).ok_or("its name is not `step-NNNNNNNN`".to_owned());
    let checked = step.and_then(|step| verify(path, step).map(|_| step));
    let step = checked.map_err(|reason| damaged(path, &reason))?;
    Ok(Checkpoint { step, path: path.to_owned() })
}

/// Writes the checkpoints of one run.
pub struct CheckpointWriter {
    dir: PathBuf,
    storage: Box<dyn Storage>,
}

impl CheckpointWriter {
    /// Prepares a run's folder for checkpoints and clears what processes that were killed while writing left there.
    pub fn open(run_dir: &Path, _lock: &RunLock) -> Result<Self, Error> {
        Self::with_storage(run_dir, Box::new(Disk))
    }

    fn with_storage(run_dir: &Path, storage: Box<dyn Storage>) -> Result<Self, Error> {
        let dir = run_dir.join(CHECKPOINTS_DIR);
        match storage.create_dir(&dir) {
            Ok(()) => storage.sync_dir(run_dir).naming("sync", run_dir)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FileError { action: "create", path: dir, source }.into()),
        }
        for name in names(&dir)? {
            if is_temporary(&name) {
                let path = dir.join(&name);
                storage.remove_dir_all(&path).naming("remove", &path)?;
                tracing::debug!("removed {}, which an interrupted process left", path.display());
            }
        }
        Ok(Self { dir, storage })
    }

    /// Whether there is a checkpoint to go back to, intact or not.
    pub fn has_any(&self) -> bool {
        committed(&self.dir).is_ok_and(|found| !found.is_empty())
    }

    /// Writes a checkpoint, checks it by reading it back, then deletes older intact ones that were not kept for good. On an error,
    /// every checkpoint committed before is as it was. Writing the same step again replaces it.
    fn save_prepared(&self, prepared: &Prepared) -> Result<Checkpoint, Error> {
        let step = prepared.step;
        let path = self.dir.join(folder_name(step));
        let temporary = self.temporary(step, NEW);
        let keep = prepared.keep || Manifest::read(&path, step).is_ok_and(|replaced| replaced.keep);
        self.clear(&temporary)?;
        let written = self.write(&temporary, prepared, keep);
        if let Err(error) = written.and_then(|()| self.commit(&temporary, &path, step)) {
            if let Err(left) = self.clear(&temporary) {
                tracing::warn!("{left}; the next start will");
            }
            return Err(error);
        }
        verify(&path, step).map_err(|reason| damaged(&path, &reason))?;
        if let Err(error) = self.prune(step) {
            tracing::warn!("an old checkpoint stays: {error}");
        }
        Ok(Checkpoint { step, path })
    }

    fn write(&self, temporary: &Path, prepared: &Prepared, keep: bool) -> Result<(), Error> {
        let Prepared { step, groups, state, metrics, .. } = prepared;
        self.storage.create_dir(temporary).naming("create", temporary)?;
        let mut files = BTreeMap::new();
        for (group, tensors) in groups {
            let name = format!("{group}{TENSORS}");
            let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            if group.is_empty() || !group.chars().all(valid) || files.contains_key(&name) {
                return Err(Error::data(format!(
                    "checkpoint group `{group}`: a name is made of lower-case letters, digits, `-` and `_`, and used once"
                )));
            }
            let bytes = to_safetensors(tensors, &BTreeMap::new())
                .map_err(|error| Error::data(format!("checkpoint group `{group}`: {error}")))?;
            self.write_synced(&temporary.join(&name), &bytes)?;
            files.insert(name, FileEntry::of(&bytes));
        }
        let state = format!("{state:#}\n").into_bytes();
        self.write_synced(&temporary.join(STATE_FILE), &state)?;
        files.insert(STATE_FILE.to_owned(), FileEntry::of(&state));
        let manifest = Manifest { step: *step, keep, files, metrics: metrics.clone() };
        self.write_synced(&temporary.join(MANIFEST_FILE), &manifest.to_bytes())?;
        Ok(self.storage.sync_dir(temporary).naming("sync", temporary)?)
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        drop(self.storage.write(path, bytes).naming("write", path)?);
        self.storage.sync_file(path).naming("sync", path)
    }

    fn commit(&self, temporary: &Path, path: &Path, step: u64) -> Result<(), Error> {
        if path.exists() {
            self.move_aside(path, step)?;
        }
        self.storage.rename(temporary, path).naming("commit", path)?;
        Ok(self.storage.sync_dir(&self.dir).naming("sync", &self.dir)?)
    }

    /// Frees a step's name. An intact checkpoint stays findable as `step-N.old`, a damaged one stays for a person to
    /// look at as `step-N.damaged`.
    fn move_aside(&self, path: &Path, step: u64) -> Result<(), Error> {
        let aside = if verify(path, step).is_ok() {
            let old = self.dir.join(format!("{}{OLD}", folder_name(step)));
            if old.exists() {
                self.remove(&old, step)?;
            }
            old
        } else {
            let mut damaged = self.dir.join(format!("{}.damaged", folder_name(step)));
            for n in 2.. {
                if !damaged.exists() {
                    break;
                }
                damaged.set_extension(format!("damaged-{n}"));
            }
            damaged
        };
        Ok(self.storage.rename(path, &aside).naming("move aside", path)?)
    }

    /// Deletes intact checkpoints before `step` that were not kept for good.
    fn prune(&self, step: u64) -> Result<(), Error> {
        for Committed { step: other, old, path } in committed(&self.dir)? {
            let replaced = other == step && old;
            let superseded = Manifest::read(&path, other).is_ok_and(|m| replaced || (other < step && !m.keep));
            if superseded && verify(&path, other).is_ok() {
                self.remove(&path, other)?;
            }
        }
        Ok(())
    }

    /// Deletes a checkpoint so that it never looks half there: it loses its name first.
    fn remove(&self, path: &Path, step: u64) -> Result<(), Error> {
        let gone = self.temporary(step, GONE);
        self.clear(&gone)?;
        self.storage.rename(path, &gone).naming("remove", path)?;
        self.clear(&gone)
    }

    fn clear(&self, path: &Path) -> Result<(), Error> {
        if path.exists() {
            self.storage.remove_dir_all(path).naming("remove", path)?;
        }
        Ok(())
    }

    fn temporary(&self, step: u64, purpose: &str) -> PathBuf {
        self.dir.join(format!(".{}.{purpose}-{}", folder_name(step), std::process::id()))
    }
}

/// Folders on their way in and out: `.step-NNNNNNNN.new-PID` and `.step-NNNNNNNN.gone-PID`.
const NEW: &str = "new";
const GONE: &str = "gone";

fn is_temporary(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|rest| rest.split_once('.'));
    let Some((step, (purpose, pid))) = parts.and_then(|(step, rest)| Some((step, rest.split_once('-')?))) else {
        return false;
    };
    parse_name(step).is_some() && [NEW, GONE].contains(&purpose) && pid.parse::<u32>().is_ok()
}

/// The suffix of an intact checkpoint that is being replaced.
const OLD: &str = ".old";

struct Committed {
    step: u64,
    old: bool,
    path: PathBuf,
}

/// All committed checkpoints, damaged or not, oldest first.
fn committed(dir: &Path) -> Result<Vec<Committed>, Error> {
    let mut found = Vec::new();
    for name in names(dir)? {
        let (stem, old) = name.strip_suffix(OLD).map_or((name.as_str(), false), |stem| (stem, true));
        if let Some(step) = parse_name(stem) {
            found.push(Committed { step, old, path: dir.join(&name) });
        }
    }
    found.sort_by_key(|c| (c.step, !c.old));
    Ok(found)
}

/// The names in a folder; none when there is no folder.
fn names(dir: &Path) -> Result<Vec<String>, FileError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.naming("list", dir)?,
    };
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|e| e.file_name())).collect();
    Ok(names.naming("list", dir)?.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

fn folder_name(step: u64) -> String {
    format!("step-{step:08}")
}

fn parse_name(name: &str) -> Option<u64> {
    let step = name.strip_prefix("step-")?.parse().ok()?;
    (folder_name(step) == name).then_some(step)
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::data(format!(
        "checkpoint {} is damaged: {reason}; `selfsame train --resume` continues from the newest intact one",
        path.display()
    ))
}

/// Compares every file with the manifest; the error says which file differs and how.
fn verify(path: &Path, step: u64) -> Result<Manifest, String> {
    let manifest = Manifest::read(path, step)?;
    for (name, entry) in &manifest.files {
        let (digest, size) = sha256_of_file(&path.join(name)).map_err(|e| e.to_string())?;
        entry.compare(name, size, &digest)?;
    }
    Ok(manifest)
}
