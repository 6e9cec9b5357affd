//! Why a run's folder cannot be used.

use super::checkpoint::CheckpointError;
use super::lock::LockError;
use crate::error::TrainError;
use crate::storage::FileError;
use selfsame_plugin_api::ErrorKind;
use std::path::PathBuf;

/// Why a run's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// There is a run in it already.
    #[error(
        "{} already holds a run; continue it with --resume, or name another folder with --output-dir",
        .0.display()
    )]
    Occupied(PathBuf),
    /// Another process writes to it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Checkpoints cannot be written to it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A continued run would learn from other samples.
    #[error(
        "samples that the run was started with cannot be read any more: {what} (those that it left out from the start are \
         listed in {}); restore the data set's files, or start another run with --output-dir",
        path.display()
    )]
    OtherSamples {
        /// The run's list of samples that are left out.
        path: PathBuf,
        /// The first of them.
        what: String,
    },
    /// There is no run in it.
    #[error("{} holds no run; name the folder that `selfsame train --output-dir` wrote", .0.display())]
    NoRun(PathBuf),
    /// The record is not one of ours.
    #[error("{}: {message}; is this the folder of a selfsame run?", path.display())]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
}

impl From<CheckpointError> for TrainError {
    fn from(error: CheckpointError) -> Self {
        Self::data(error.to_string())
    }
}

impl From<RunFolderError> for TrainError {
    fn from(error: RunFolderError) -> Self {
        // A folder that holds a run already is a mistake in what the user asked for.
        let kind = match error {
            RunFolderError::Occupied(_) | RunFolderError::Lock(_) => ErrorKind::Configuration,
            _ => ErrorKind::Data,
        };
        Self::Failed { kind, message: error.to_string() }
    }
}
