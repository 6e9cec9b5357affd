//! `dataset.options` of Parquet files.

use crate::form::OfPixels;
use schemars::JsonSchema;
use selfsame_plugin_api::Split;
use serde::{Deserialize, Serialize};

/// The options.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// Files below dataset_dir for train, val and test, each a name or a list of names in which `*` stands for anything;
    /// without it, all that end in .parquet, by the split that begins the name of the file or of its folder.
    pub files: Option<Files>,
    /// Column of the encoded images (PNG, JPEG, TIFF, WebP, BMP, NumPy): bytes, or a structure with `bytes`, as Hugging Face writes it.
    pub image_column: String,
    /// Column of the classes, as numbers or texts; without it, label where there is one.
    pub label_column: Option<String>,
    /// Column that says which split an image belongs to.
    pub split_column: Option<String>,
    /// Column of the groups (patients); images of one group stay in one split.
    pub group_column: Option<String>,
    /// Names of the classes in label order; without it, those in the file's metadata, else those that occur, sorted.
    pub classes: Vec<String>,
    #[serde(flatten)]
    pub of_pixels: OfPixels,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            files: None,
            image_column: "image".into(),
            label_column: None,
            split_column: None,
            group_column: None,
            classes: Vec::new(),
            of_pixels: OfPixels::default(),
        }
    }
}

/// Files of each split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// Training.
    pub train: Option<Patterns>,
    /// Validation.
    pub val: Option<Patterns>,
    /// Test.
    pub test: Option<Patterns>,
}

/// One name or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a name or a list of names")]
pub enum Patterns {
    /// A single one.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl Files {
    /// The patterns of each split that has some.
    pub fn given(&self) -> impl Iterator<Item = (Split, &[String])> {
        let all = [(Split::Train, &self.train), (Split::Val, &self.val), (Split::Test, &self.test)];
        all.into_iter().filter_map(|(split, patterns)| {
            let patterns = match patterns.as_ref()? {
                Patterns::One(pattern) => std::slice::from_ref(pattern),
                Patterns::Many(patterns) => patterns,
            };
            Some((split, patterns))
        })
    }
}
