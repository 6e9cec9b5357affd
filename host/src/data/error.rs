//! Why a data set cannot be used.

use selfsame_plugin_api::{Cancelled, ErrorKind, PluginError, without_backtrace};
use std::io;
use std::path::Path;
use tch::TchError;

/// A data set that cannot be used, with what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("data set {dataset}: {message}")]
pub struct DataError {
    /// The data set's name.
    pub dataset: String,
    /// Whose mistake it is.
    pub kind: ErrorKind,
    /// What is wrong, and what to do.
    pub message: String,
}

impl DataError {
    /// Files or samples that are not what was expected.
    pub fn data(dataset: &str, message: impl Into<String>) -> Self {
        Self { dataset: dataset.into(), kind: ErrorKind::Data, message: message.into() }
    }

    /// A value that the user wrote.
    pub fn configuration(dataset: &str, message: impl Into<String>) -> Self {
        Self { dataset: dataset.into(), kind: ErrorKind::Configuration, message: message.into() }
    }

    /// An error of the plugin, with the data set's name.
    pub fn plugin(dataset: &str, error: PluginError) -> Self {
        Self { dataset: dataset.into(), kind: error.kind, message: error.message }
    }

    /// Images that libtorch cannot place, on a device that is full first of all.
    pub(super) fn memory(dataset: &str, error: &TchError) -> Self {
        Self::device(dataset, &format!("libtorch: {}", without_backtrace(&error.to_string())))
    }

    /// A device that does not hold the images.
    pub(super) fn device(dataset: &str, reason: &str) -> Self {
        let message = format!("{reason}; where memory is short, `data.cache` can be `host` or `disk`");
        Self { dataset: dataset.into(), kind: ErrorKind::Device, message }
    }

    /// The user's wish to stop.
    pub(crate) fn cancelled(dataset: &str, cancelled: Cancelled) -> Self {
        Self::plugin(dataset, cancelled.into())
    }

    /// A file operation of the packed cache that failed: "cannot *write* …".
    pub(super) fn cache(dataset: &str, action: &str, path: &Path, error: &io::Error) -> Self {
        let advice = "make room or the folder writable, or name another one with `data.cache_dir`";
        Self::data(dataset, format!("packed cache: cannot {action} {}: {error}; {advice}", path.display()))
    }
}

/// Of a batch of mixed data sets; those of one data set are named by `memory`.
impl From<TchError> for DataError {
    fn from(error: TchError) -> Self {
        Self::memory("mixture", &error)
    }
}
