//! What all images of a data set are.

use super::pixels::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pixels of the largest image that is accepted, where the user does not say.
pub const MAX_PIXELS: u64 = 100_000_000;

/// How files become images.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// Channels and depth of every image.
    pub shape: Shape,
    /// Whether the user asked for these channels; else a coloured image in a grey data set is an error.
    pub channels_are_asked: bool,
    /// Whether the user asked for this depth; else a 16-bit image in an 8-bit data set is an error.
    pub depth_is_asked: bool,
    /// Pixels of the largest image that is accepted. The channels of an image that is neither grey nor coloured take up to eight
    /// bytes for each of these, all together.
    pub max_pixels: u64,
    /// The channels that are taken, numbered from 1, in this order; all where there is none.
    pub bands: Vec<usize>,
    /// The values that become black and white, one range for all channels or one for each; where there is none, the whole range
    /// of unsigned integers.
    pub value_range: Vec<Range>,
    /// Where channels stand in a NumPy array.
    pub layout: Layout,
    /// What the pages of a TIFF file are.
    pub pages: Pages,
}

impl Form {
    /// These channels and bits (8 or 16), and images of at most [`MAX_PIXELS`]. Grey and colours become 1 and 3 channels, as
    /// asked for; files of another number of channels must have it.
    pub fn new(channels: usize, bit_depth: u8) -> Self {
        Self {
            shape: Shape { channels, bit_depth },
            channels_are_asked: true,
            depth_is_asked: true,
            max_pixels: MAX_PIXELS,
            bands: Vec::new(),
            value_range: Vec::new(),
            layout: Layout::default(),
            pages: Pages::default(),
        }
    }
}

/// The values that become black and white: `[lowest, highest]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 2]", into = "[f64; 2]")]
pub struct Range([f64; 2]);

impl Range {
    /// Black and white.
    pub fn ends(self) -> (f64, f64) {
        (self.0[0], self.0[1])
    }
}

impl TryFrom<[f64; 2]> for Range {
    type Error = String;

    fn try_from([lowest, highest]: [f64; 2]) -> Result<Self, String> {
        if (highest - lowest).is_finite() && lowest < highest {
            return Ok(Self([lowest, highest]));
        }
        Err(format!("a range from {lowest} to {highest}, expected two finite numbers, the smaller one first"))
    }
}

impl From<Range> for [f64; 2] {
    fn from(range: Range) -> Self {
        range.0
    }
}

/// Where channels stand in an array of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// At the shorter one of the first and the last axis.
    #[default]
    Auto,
    /// `[C, H, W]`.
    ChannelsFirst,
    /// `[H, W, C]`.
    ChannelsLast,
}

/// What the pages of a TIFF file are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pages {
    /// Images, of which the first is taken.
    #[default]
    First,
    /// The channels of one image, as ImageJ writes them.
    Channels,
}
