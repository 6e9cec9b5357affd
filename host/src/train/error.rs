//! What ends a training run before its last epoch.

use crate::data::DataError;
use selfsame_plugin_api::{ErrorKind, PluginError};

/// An error of any stage, by whose mistake it is, or the user's wish to stop.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Something failed; nothing that was saved is lost.
    #[error("{message}")]
    Failed {
        /// Whose mistake it is.
        kind: ErrorKind,
        /// Names the thing, says what was expected and what to do.
        message: String,
    },
    /// A signal ended the run after its state was saved.
    #[error("stopped by a signal after step {step}; the state is saved, continue with `--resume`")]
    Stopped {
        /// 130 or 143.
        code: u8,
        /// Steps done.
        step: u64,
    },
}

impl TrainError {
    /// A value that the user wrote does not work.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::Failed { kind: ErrorKind::Configuration, message: message.into() }
    }

    /// Files that are missing, damaged or cannot be written.
    pub fn data(message: impl Into<String>) -> Self {
        Self::Failed { kind: ErrorKind::Data, message: message.into() }
    }
}

impl From<DataError> for TrainError {
    fn from(error: DataError) -> Self {
        Self::Failed { kind: error.kind, message: error.to_string() }
    }
}

impl From<PluginError> for TrainError {
    fn from(error: PluginError) -> Self {
        Self::Failed { kind: error.kind, message: error.message }
    }
}

impl From<tch::TchError> for TrainError {
    fn from(error: tch::TchError) -> Self {
        let text = error.to_string();
        let text = text.split("\nException raised from").next().unwrap_or(&text);
        let kind = if text.contains("out of memory") { ErrorKind::Device } else { ErrorKind::Plugin };
        Self::Failed { kind, message: format!("libtorch: {text}") }
    }
}
