//! `damaged.json`: the samples that a run skips because they cannot be read.

use super::files::DAMAGED_FILE;
use super::folder::RunFolder;
use super::record::alien;
use crate::error::Error;
use crate::regular_file;
use crate::samples::Skipped;
use crate::storage::{Disk, Naming, remove_if_there, write_atomically};
use std::io;

impl RunFolder {
    /// The samples that the run has skipped so far.
    ///
    /// # Errors
    /// A list that cannot be read.
    pub fn skipped(&self) -> Result<Skipped, Error> {
        let path = self.path().join(DAMAGED_FILE);
        match regular_file::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| alien(&path, &error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Skipped::new()),
            Err(error) => Ok(Err(error).naming("read", &path)?),
        }
    }

    /// Refuses to go on without samples that the run has learnt from: `now` skips more than `before`.
    ///
    /// # Errors
    /// Names the first of these samples.
    pub fn ensure_same_skipped(&self, before: &Skipped, now: &Skipped) -> Result<(), Error> {
        for (part, samples) in now {
            let known = before.get(part).map_or(&[][..], |samples| samples);
            let lost = samples.iter().find(|sample| known.iter().all(|known| known.index != sample.index));
            if let Some(lost) = lost {
                let what = format!("{part}: {}", lost.describe());
                return Err(Error::data(format!(
                    "samples that the run was started with cannot be read any more: {what} (those that it left out from the \
                     start are listed in {}); restore the data set's files, or start another run with --output-dir",
                    self.path().join(DAMAGED_FILE).display()
                )));
            }
        }
        Ok(())
    }

    /// Lists the samples that the run skips.
    ///
    /// # Errors
    /// A list that cannot be written.
    pub fn write_skipped(&self, skipped: &Skipped) -> Result<(), Error> {
        if !self.is_ours() {
            return Ok(());
        }
        let path = self.path().join(DAMAGED_FILE);
        if skipped.is_empty() {
            // An earlier start in this folder may have got no further than its list.
            return Ok(remove_if_there(&path)?);
        }
        let json = serde_json::to_vec_pretty(skipped).map_err(|error| alien(&path, &error))?;
        Ok(write_atomically(&Disk, &path, &json)?)
    }
}
