//! `damaged.json`: the samples that a run skips because they cannot be read.

use super::error::RunFolderError;
use super::files::DAMAGED_FILE;
use super::folder::RunFolder;
use crate::regular_file;
use crate::samples::Skipped;
use crate::storage::{Disk, Naming, write_atomically};
use std::fs;
use std::io;

impl RunFolder {
    /// The samples that the run has skipped so far.
    ///
    /// # Errors
    /// A list that cannot be read.
    pub fn skipped(&self) -> Result<Skipped, RunFolderError> {
        let path = self.path().join(DAMAGED_FILE);
        match regular_file::read(&path) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|error| RunFolderError::Record { path, message: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Skipped::new()),
            Err(error) => Err(error).naming("read", &path).map_err(RunFolderError::File),
        }
    }

    /// Refuses to go on without samples that the run has learnt from: `now` skips more than `before`.
    ///
    /// # Errors
    /// Names the first of these samples.
    pub fn ensure_same_skipped(&self, before: &Skipped, now: &Skipped) -> Result<(), RunFolderError> {
        for (part, samples) in now {
            let known = before.get(part).map_or(&[][..], |samples| samples);
            let lost = samples.iter().find(|sample| known.iter().all(|known| known.index != sample.index));
            if let Some(lost) = lost {
                let what = format!("{part}: {}", lost.describe());
                return Err(RunFolderError::OtherSamples { path: self.path().join(DAMAGED_FILE), what });
            }
        }
        Ok(())
    }

    /// Lists the samples that the run skips.
    ///
    /// # Errors
    /// A list that cannot be written.
    pub fn write_skipped(&self, skipped: &Skipped) -> Result<(), RunFolderError> {
        let path = self.path().join(DAMAGED_FILE);
        if skipped.is_empty() {
            // An earlier start in this folder may have got no further than its list.
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).naming("remove", &path).map_err(RunFolderError::File)
                }
                _ => Ok(()),
            };
        }
        let json = serde_json::to_vec_pretty(skipped)
            .map_err(|error| RunFolderError::Record { path: path.clone(), message: error.to_string() })?;
        Ok(write_atomically(&Disk, &path, &json)?)
    }
}
