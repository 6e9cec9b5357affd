//! Keys of the random views.

use super::operations::{
    ElasticTransformConfig, GammaConfig, GaussianBlurConfig, GaussianNoiseConfig, GrayscaleConfig, ProbabilityConfig,
    RandomAffineConfig, RandomColorConfig, RandomCropConfig, RandomErasingConfig, SolarizeConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The random views. Each operation is on when its `use_` key is; they run in the order listed here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationConfig {
    /// Random rotation, shift and shear about the image's centre.
    pub use_random_affine: bool,
    /// Parameters of the random affine map (`use_random_affine`).
    pub random_affine: RandomAffineConfig,
    /// Random resized crop instead of a plain resize.
    pub use_random_crop: bool,
    /// Parameters of the random resized crop (`use_random_crop`).
    pub random_crop: RandomCropConfig,
    /// Horizontal flip.
    pub use_random_horizontal_flip: bool,
    /// Parameters of the horizontal flip (`use_random_horizontal_flip`).
    pub random_horizontal_flip: ProbabilityConfig,
    /// Elastic deformation (Simard et al. 2003), in one resampling with affine map, crop and flip.
    pub use_elastic_transform: bool,
    /// Parameters of the elastic deformation (`use_elastic_transform`).
    pub elastic_transform: ElasticTransformConfig,
    /// Gamma: x ← x^γ.
    pub use_gamma_transform: bool,
    /// Parameters of the gamma transform (`use_gamma_transform`).
    pub gamma: GammaConfig,
    /// Colour jitter: brightness, contrast, saturation and hue in a random order.
    pub use_random_color: bool,
    /// Parameters of the colour jitter (`use_random_color`).
    pub random_color: RandomColorConfig,
    /// Conversion to grayscale.
    pub use_random_grayscale: bool,
    /// Parameters of the conversion to grayscale (`use_random_grayscale`).
    pub random_grayscale: GrayscaleConfig,
    /// Gaussian blur.
    pub use_gaussian_blur: bool,
    /// Parameters of the Gaussian blur (`use_gaussian_blur`).
    pub gaussian_blur: GaussianBlurConfig,
    /// Solarisation: values at or above the threshold are inverted.
    pub use_solarize: bool,
    /// Parameters of the solarisation (`use_solarize`).
    pub solarize: SolarizeConfig,
    /// Erasing of a random rectangle.
    pub use_random_erasing: bool,
    /// Parameters of random erasing (`use_random_erasing`).
    pub random_erasing: RandomErasingConfig,
    /// Gaussian noise.
    pub add_gaussian_noise: bool,
    /// Parameters of the Gaussian noise (`add_gaussian_noise`).
    pub gaussian_noise: GaussianNoiseConfig,
    /// Mean and standard deviation taken from each channel at the end: `dataset` (the data set's own), `imagenet`, or
    /// `none` (values stay in 0–1).
    #[schemars(extend("x-role" = "identity"))]
    pub normalize: NormalizeChoice,
    /// What the second view does otherwise than the first: any of the keys above but `normalize`. What it does not name
    /// is as in the first view.
    #[schemars(extend("x-overrides" = "AugmentationConfig"))]
    pub view2: Map<String, Value>,
}

impl AugmentationConfig {
    /// Whether any random operation is on.
    pub fn is_random(&self) -> bool {
        [
            self.use_random_affine,
            self.use_random_crop,
            self.use_random_horizontal_flip,
            self.use_elastic_transform,
            self.use_gamma_transform,
            self.use_random_color,
            self.use_random_grayscale,
            self.use_gaussian_blur,
            self.use_solarize,
            self.use_random_erasing,
            self.add_gaussian_noise,
        ]
        .contains(&true)
    }

    /// The second view's own settings: these with those of `view2` laid over them.
    ///
    /// # Errors
    /// A key or a value in `view2` that the schema does not have; loading a configuration has refused it before.
    pub fn second_view(&self) -> Result<Self, serde_json::Error> {
        let mut values = serde_json::to_value(Self { view2: Map::new(), ..self.clone() })?;
        lay_over(&mut values, &Value::Object(self.view2.clone()));
        serde_json::from_value(values)
    }
}

/// Replaces the values that `over` has, section by section.
fn lay_over(values: &mut Value, over: &Value) {
    match (values, over) {
        (Value::Object(values), Value::Object(over)) => {
            over.iter().for_each(|(key, over)| lay_over(values.entry(key).or_insert(Value::Null), over));
        }
        (value, over) => *value = over.clone(),
    }
}

impl Default for AugmentationConfig {
    fn default() -> Self {
        Self {
            use_random_affine: false,
            random_affine: RandomAffineConfig::default(),
            use_random_crop: false,
            random_crop: RandomCropConfig::default(),
            use_random_horizontal_flip: false,
            random_horizontal_flip: ProbabilityConfig::default(),
            use_elastic_transform: false,
            elastic_transform: ElasticTransformConfig::default(),
            use_gamma_transform: false,
            gamma: GammaConfig::default(),
            use_random_color: false,
            random_color: RandomColorConfig::default(),
            use_random_grayscale: false,
            random_grayscale: GrayscaleConfig::default(),
            use_gaussian_blur: false,
            gaussian_blur: GaussianBlurConfig::default(),
            use_solarize: false,
            solarize: SolarizeConfig::default(),
            use_random_erasing: false,
            random_erasing: RandomErasingConfig::default(),
            add_gaussian_noise: false,
            gaussian_noise: GaussianNoiseConfig::default(),
            normalize: NormalizeChoice::Dataset,
            view2: Map::new(),
        }
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
