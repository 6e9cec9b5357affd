//! One image of the data set, and how its labels are given.

use selfsame_plugin_api::Split;
use std::path::PathBuf;

/// One image and what is known about it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The path below the data set's folder.
    pub id: String,
    /// Where the file lies.
    pub path: PathBuf,
    /// How a CSV file writes the path.
    pub listed: Option<String>,
    /// The split it belongs to.
    pub split: Split,
    /// The labels that hold; one for a class.
    pub labels: Vec<String>,
    /// Its patient.
    pub group: Option<String>,
}

impl Entry {
    /// A training sample without labels.
    pub fn new(id: String, path: PathBuf) -> Self {
        Self { id, path, listed: None, split: Split::Train, labels: Vec::new(), group: None }
    }
}

/// How labels are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Not at all.
    Nothing,
    /// One class for each image.
    Class,
    /// Any number of labels for each image; all possible ones where columns name them.
    Labels(Option<Vec<String>>),
}
