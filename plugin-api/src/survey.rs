//! What a data set would make of a folder of which it has been told nothing: the question that `selfsame init` asks.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// What a data set finds in a folder, and how it would read it. Crosses the boundary as JSON.
/// [`Survey::of`] makes one, so that a field that comes later changes no plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Survey {
    /// Images that it would read there; 0: the folder holds nothing of its kind.
    pub images: usize,
    /// The folder to name in `dataset.dataset_dir`, where it is one below the folder that was asked about.
    pub folder: Option<PathBuf>,
    /// The options to write under `dataset.options`, in the order in which people want to read them.
    pub options: Vec<ChosenOption>,
    /// What else somebody who knows the folder should know, a sentence each.
    pub notes: Vec<String>,
}

/// One option, and why it has its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChosenOption {
    /// The key below `dataset.options`.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Why, in one sentence without a full stop.
    pub reason: String,
}

impl Survey {
    /// So many images, read without any option.
    pub fn of(images: usize) -> Self {
        Self { images, ..Self::default() }
    }

    /// The folder to name, where it is not the one that was asked about.
    #[must_use]
    pub fn folder(self, folder: Option<PathBuf>) -> Self {
        Self { folder, ..self }
    }

    /// One more option, with the reason for its value.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Value>, reason: impl Into<String>) -> Self {
        self.options.push(ChosenOption { name: name.into(), value: value.into(), reason: reason.into() });
        self
    }

    /// One more thing to know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}
