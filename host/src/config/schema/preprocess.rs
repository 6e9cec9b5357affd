//! Keys of what is done to every image, random or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done to every image, in training and evaluation alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessConfig {
    /// Output side of the random resized crop and of the evaluation's resize, in pixels, in [1, 16384]; without it, the data
    /// set's nominal size.
    #[schemars(range(min = 1, max = 16384))]
    pub resize: Option<usize>,
    /// Side of the centre crop taken after `resize`, at most `resize`; without it, images keep `resize`, and those that
    /// are not square are cropped to a square. In [1, 16384].
    #[schemars(range(min = 1, max = 16384))]
    pub center_crop_size: Option<usize>,
    /// Repeat grey images to the three channels that encoders for colour images take.
    pub expand_channels: bool,
    /// Histogram equalisation of the whole grey image, before anything else.
    pub use_histogram_equalization: bool,
    /// Contrast-limited adaptive histogram equalisation of the whole grey image, before anything else.
    pub use_clahe: bool,
    /// Parameters of the contrast-limited equalisation (`use_clahe`).
    pub clahe: ClaheConfig,
}

impl Default for PreprocessConfig {
    fn default() -> Self {
        Self {
            resize: None,
            center_crop_size: None,
            expand_channels: true,
            use_histogram_equalization: false,
            use_clahe: false,
            clahe: ClaheConfig::default(),
        }
    }
}

/// Contrast-limited adaptive histogram equalisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaheConfig {
    /// The most that a grey level may hold of a tile's pixels, as a multiple of the even share; above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub clip_limit: f64,
    /// Tiles along each side of the image, in 1–64.
    #[schemars(range(min = 1, max = 64))]
    pub tiles: usize,
}

impl Default for ClaheConfig {
    fn default() -> Self {
        Self { clip_limit: 2.0, tiles: 8 }
    }
}
