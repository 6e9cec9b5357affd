//! IDX files: one of images and one of labels for each split.

use crate::dataset::Source;
use crate::idx_file;
use crate::names::{Names, PerSplit};
use crate::part::{Labels, Part};
use schemars::JsonSchema;
use selfsame_plugin_api::{PluginError, Result, Split};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `dataset.options`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// File of images in dataset_dir, [N, H, W] or [N, H, W, C] of bytes, in which {split} may stand for the split, or a file
    /// each under train, val and test; `.gz` behind its name is tried too.
    pub images: Names,
    /// File of labels, [N] class numbers or [N, classes] of 0 and 1; a split without one has no labels.
    pub labels: Names,
    /// Names of the classes in label order; without it, their numbers.
    pub classes: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        let of = |train: &str, test: &str| {
            Names::Each(PerSplit { train: Some(train.into()), val: None, test: Some(test.into()) })
        };
        Self {
            images: of("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
            labels: of("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"),
            classes: Vec::new(),
        }
    }
}

/// Reads IDX files.
pub struct Idx(pub Options);

/// The file, or with `.gz` behind its name where only that is there.
fn found(path: PathBuf) -> PathBuf {
    let zipped = PathBuf::from(format!("{}.gz", path.display()));
    if !path.exists() && zipped.exists() { zipped } else { path }
}

impl Source for Idx {
    fn part(&self, root: &Path, split: Split) -> Result<Option<Part>> {
        let Some(path) = self.0.images.of(split).map(|name| found(root.join(name))) else { return Ok(None) };
        if split != Split::Train && !path.exists() {
            return Ok(None);
        }
        let wrong = |path: &Path, message: String| PluginError::data(format!("{}: it {message}", path.display()));
        let (images, _) = idx_file::open(&path)?;
        let mut part = Part::of(images, true).map_err(|error| wrong(&path, error))?;
        if let Some(labels) = self.0.labels.of(split).map(|name| found(root.join(name))).filter(|path| path.exists()) {
            let (header, bytes) = idx_file::read(&labels)?;
            part.labels = Some(Labels::of(&header, &bytes).map_err(|error| wrong(&labels, error))?);
        }
        part.check().map_err(|error| PluginError::data(format!("{}: {error}", path.display())))?;
        Ok(Some(part))
    }

    fn pixels(&self, root: &Path, split: Split) -> Result<Vec<u8>> {
        match self.0.images.of(split) {
            Some(name) => Ok(idx_file::read(&found(root.join(name)))?.1),
            None => Err(PluginError::data(format!("there is no split `{}`", split.name()))),
        }
    }

    fn describe(&self, root: &Path, split: Split) -> String {
        self.0.images.of(split).map_or_else(|| root.to_owned(), |name| found(root.join(name))).display().to_string()
    }
}
