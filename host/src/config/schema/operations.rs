//! Parameters of each random operation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Random resized crop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomCropConfig {
    /// Smallest and largest share of the image's area, in (0, 1].
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}))]
    pub scale: [f64; 2],
    /// Smallest and largest aspect ratio, above 0.
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub ratio: [f64; 2],
    /// `bilinear` or `bicubic`.
    pub interpolation: Interpolation,
}

impl Default for RandomCropConfig {
    fn default() -> Self {
        Self { scale: [0.9, 1.0], ratio: [0.75, 4.0 / 3.0], interpolation: Interpolation::Bilinear }
    }
}

/// How pixels between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// From the 2×2 nearest pixels.
    Bilinear,
    /// From the 4×4 nearest pixels.
    Bicubic,
}

/// An operation with nothing but a probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbabilityConfig {
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for ProbabilityConfig {
    fn default() -> Self {
        Self { prob: 0.5 }
    }
}

/// Colour jitter. A strength s draws its factor from [max(0, 1 − s), 1 + s].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomColorConfig {
    /// Strength of brightness, at least 0.
    #[schemars(range(min = 0))]
    pub brightness: f64,
    /// Strength of contrast, at least 0.
    #[schemars(range(min = 0))]
    pub contrast: f64,
    /// Strength of saturation, at least 0.
    #[schemars(range(min = 0))]
    pub saturation: f64,
    /// Largest shift of hue, as a share of the colour circle, in [0, 0.5].
    #[schemars(range(min = 0, max = 0.5))]
    pub hue: f64,
    /// Probability that the image is jittered at all, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for RandomColorConfig {
    fn default() -> Self {
        Self { brightness: 0.0, contrast: 0.1, saturation: 0.0, hue: 0.0, prob: 1.0 }
    }
}

/// Grayscale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrayscaleConfig {
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for GrayscaleConfig {
    fn default() -> Self {
        Self { prob: 0.2 }
    }
}

/// Gaussian blur.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianBlurConfig {
    /// Smallest and largest standard deviation, in pixels, above 0.
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub sigma: [f64; 2],
    /// Side of the kernel in pixels, odd; without it, the odd number nearest to a tenth of the image's side, at least 3.
    #[schemars(range(min = 1))]
    pub kernel_size: Option<usize>,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for GaussianBlurConfig {
    fn default() -> Self {
        Self { sigma: [0.1, 2.0], kernel_size: None, prob: 0.5 }
    }
}

/// Solarisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SolarizeConfig {
    /// Values at or above it are inverted, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f64,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for SolarizeConfig {
    fn default() -> Self {
        Self { threshold: 0.5, prob: 0.2 }
    }
}

/// Random rotation, shift and shear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomAffineConfig {
    /// Largest rotation to either side, in degrees, in [0, 180].
    #[schemars(range(min = 0, max = 180))]
    pub max_angle: f64,
    /// Largest shift to either side, as a share of the image's width, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub max_horizontal_shift: f64,
    /// Largest shift up or down, as a share of the image's height, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub max_vertical_shift: f64,
    /// Largest shear along x to either side, in degrees, in [0, 90).
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 90))]
    pub max_shear: f64,
    /// What stands outside of the image, for the elastic deformation as well: `reflect`, `edge` or `zeros`.
    pub border: Border,
}

impl Default for RandomAffineConfig {
    fn default() -> Self {
        Self {
            max_angle: 0.0,
            max_horizontal_shift: 0.0,
            max_vertical_shift: 0.0,
            max_shear: 5.0,
            border: Border::Reflect,
        }
    }
}

/// What stands outside of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Black.
    Zeros,
    /// The nearest pixel of the image.
    Edge,
    /// The image mirrored at its edges.
    Reflect,
}

/// Gamma.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GammaConfig {
    /// Smallest and largest exponent, above 0.
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub scale: [f64; 2],
}

impl Default for GammaConfig {
    fn default() -> Self {
        Self { scale: [0.5, 1.5] }
    }
}

/// Elastic deformation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticTransformConfig {
    /// Standard deviation of the Gaussian that smooths the random displacements, in pixels of the view, above 0.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub sigma: f64,
    /// Factor of the smoothed displacements, at least 0.
    #[schemars(range(min = 0))]
    pub alpha: f64,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub p_apply: f64,
}

impl Default for ElasticTransformConfig {
    fn default() -> Self {
        Self { sigma: 4.0, alpha: 35.0, p_apply: 0.5 }
    }
}

/// Random erasing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomErasingConfig {
    /// Smallest and largest share of the view's area, in (0, 1].
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}))]
    pub scale: [f64; 2],
    /// Smallest and largest aspect ratio, above 0.
    #[schemars(extend("items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub ratio: [f64; 2],
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for RandomErasingConfig {
    fn default() -> Self {
        Self { scale: [0.01, 0.1], ratio: [0.3, 3.3], prob: 0.5 }
    }
}

/// Gaussian noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianNoiseConfig {
    /// Standard deviation, of values in 0–1, at least 0.
    #[schemars(range(min = 0))]
    pub std: f64,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub p_apply: f64,
}

impl Default for GaussianNoiseConfig {
    fn default() -> Self {
        Self { std: 0.01, p_apply: 0.5 }
    }
}
