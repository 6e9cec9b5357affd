//! Keys of the images' size and of the random views.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The size of the images that the encoder sees.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessConfig {
    /// Output side of the random resized crop and of the evaluation's resize, in pixels; without it, the data set's
    /// nominal size.
    #[schemars(range(min = 1))]
    pub resize: Option<usize>,
    /// Side of the centre crop taken after `resize`, at most `resize`; without it, images keep `resize`, and those that
    /// are not square are cropped to a square.
    #[schemars(range(min = 1))]
    pub center_crop_size: Option<usize>,
}

/// The random views. Each operation is on when its `use_` key is; they run in the order listed here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationConfig {
    /// Random resized crop instead of a plain resize.
    pub use_random_crop: bool,
    /// Its parameters.
    pub random_crop: RandomCropConfig,
    /// Horizontal flip.
    pub use_random_horizontal_flip: bool,
    /// Its parameters.
    pub random_horizontal_flip: ProbabilityConfig,
    /// Colour jitter: brightness, contrast, saturation and hue in a random order.
    pub use_random_color: bool,
    /// Its parameters.
    pub random_color: RandomColorConfig,
    /// Conversion to grayscale.
    pub use_random_grayscale: bool,
    /// Its parameters.
    pub random_grayscale: GrayscaleConfig,
    /// Gaussian blur.
    pub use_gaussian_blur: bool,
    /// Its parameters.
    pub gaussian_blur: GaussianBlurConfig,
    /// Solarisation: values at or above the threshold are inverted.
    pub use_solarize: bool,
    /// Its parameters.
    pub solarize: SolarizeConfig,
    /// Mean and standard deviation taken from each channel at the end: `dataset` (the data set's own), `imagenet`, or
    /// `none` (values stay in 0–1).
    pub normalize: NormalizeChoice,
}

impl Default for AugmentationConfig {
    fn default() -> Self {
        Self {
            use_random_crop: false,
            random_crop: RandomCropConfig::default(),
            use_random_horizontal_flip: false,
            random_horizontal_flip: ProbabilityConfig::default(),
            use_random_color: false,
            random_color: RandomColorConfig::default(),
            use_random_grayscale: false,
            random_grayscale: GrayscaleConfig::default(),
            use_gaussian_blur: false,
            gaussian_blur: GaussianBlurConfig::default(),
            use_solarize: false,
            solarize: SolarizeConfig::default(),
            normalize: NormalizeChoice::Dataset,
        }
    }
}

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

/// What is taken from each channel at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NormalizeChoice {
    /// The data set's mean and standard deviation; 0–1 where its card has none.
    Dataset,
    /// ImageNet's mean and standard deviation.
    Imagenet,
    /// Nothing: values stay in 0–1.
    None,
}
