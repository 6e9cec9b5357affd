//! `dataset.options` of Parquet files.

use crate::form::OfPixels;
use crate::values::Ranges;
use schemars::JsonSchema;
use selfsame_plugin_api::Split;
use selfsame_plugin_api::images::{Layout, Pages};
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
    /// Channels of all images: 1 (grey), 3 (colour), or the number that all have; without it, 1 when the images looked at are
    /// grey, 3 when they are coloured, else what they have.
    pub channels: Option<usize>,
    /// The channels that are taken, numbered from 1, in this order, as [4, 3, 2]; without it, all.
    pub bands: Vec<usize>,
    /// Bits of all images; without it, 16 when there are images with 16 bits or `value_range` is set, else 8.
    #[schemars(extend("enum" = [8, 16]))]
    pub bit_depth: Option<u8>,
    /// The values that become black and white, [lowest, highest], or a list of such pairs, one for each channel; needed by
    /// float32, float64, signed and 32-bit values.
    pub value_range: Ranges,
    /// Where channels of NumPy arrays stand; auto is at the shorter one of the first and the last axis.
    pub layout: Layout,
    /// Whether the first of a TIFF file's pages is the image, or each page one of its channels.
    pub pages: Pages,
    /// Pixels of the largest image that is accepted.
    #[schemars(range(min = 1, max = 4_294_967_296_u64))]
    pub max_pixels: u64,
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
            channels: None,
            bands: Vec::new(),
            bit_depth: None,
            value_range: Ranges::default(),
            layout: Layout::default(),
            pages: Pages::default(),
            max_pixels: selfsame_plugin_api::images::MAX_PIXELS,
        }
    }
}

impl Options {
    /// How images become pixels.
    pub fn of_pixels(&self) -> OfPixels<'_> {
        OfPixels {
            channels: self.channels,
            bands: &self.bands,
            bit_depth: self.bit_depth,
            value_range: &self.value_range,
            layout: self.layout,
            pages: self.pages,
            max_pixels: self.max_pixels,
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
