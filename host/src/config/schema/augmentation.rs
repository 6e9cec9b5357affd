//! Keys of the random views.

pub use crate::augment::color_jitter::RandomColorConfig;
pub use crate::augment::elastic::ElasticTransformConfig;
pub use crate::augment::gamma::GammaConfig;
pub use crate::augment::gaussian_blur::GaussianBlurConfig;
pub use crate::augment::gaussian_noise::GaussianNoiseConfig;
pub use crate::augment::grayscale::GrayscaleConfig;
pub use crate::augment::random_affine::{Border, RandomAffineConfig};
pub use crate::augment::random_erasing::RandomErasingConfig;
pub use crate::augment::random_horizontal_flip::HorizontalFlipConfig;
pub use crate::augment::resized_crop::{Interpolation, RandomCropConfig};
pub use crate::augment::solarize::SolarizeConfig;

use super::view::ViewConfig;
use crate::augment::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Makes the settings of the views out of the one list of all operations: of each the key that turns it on, and its
/// settings, which are an [`Operation`].
macro_rules! augmentation_config {
    ($($(#[$switch_doc:meta])* $switch:ident, $(#[$settings_doc:meta])* $settings:ident: $operation:ty;)*) => {
        /// The random views. Each operation is on when its `use_` key is; they run in the order listed here.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct AugmentationConfig {
            $(
                $(#[$switch_doc])*
                pub $switch: bool,
                $(#[$settings_doc])*
                pub $settings: $operation,
            )*
            /// Mean and standard deviation taken from each channel at the end: `dataset` (the data set's own), `imagenet`,
            /// or `none` (values stay in 0–1).
            #[schemars(extend("x-role" = "identity", "x-common" = true))]
            pub normalize: NormalizeChoice,
            /// What the second view does otherwise than the first: any of the keys above but `normalize`. What it does not
            /// name is as in the first view. The short form of `views` for two views.
            #[schemars(extend("x-overrides" = "AugmentationConfig", "x-common" = true))]
            pub view2: Map<String, Value>,
            /// The views of an image, kind by kind, at most 64 in all. Each entry takes `count`, `size`, and any of the keys
            /// above but `normalize`; what it does not name is as stated there. Without entries there are two views: by
            /// the keys above, and with `view2` laid over them.
            #[schemars(extend("x-common" = true))]
            pub views: Vec<ViewConfig>,
        }

        impl AugmentationConfig {
            /// The random operations that are on, in the order in which they run.
            pub fn operations(&self) -> impl Iterator<Item = &dyn Operation> {
                let all: Vec<(bool, &dyn Operation)> = vec![$((self.$switch, &self.$settings)),*];
                all.into_iter().filter(|(is_on, _)| *is_on).map(|(_, operation)| operation)
            }
        }
    };
}

augmentation_config! {
    /// Random rotation, shift and shear about the image's centre.
    use_random_affine,
    /// Parameters of the random affine map (`use_random_affine`).
    random_affine: RandomAffineConfig;

    /// Random resized crop instead of a plain resize.
    use_random_crop,
    /// Parameters of the random resized crop (`use_random_crop`).
    random_crop: RandomCropConfig;

    /// Horizontal flip.
    use_random_horizontal_flip,
    /// Parameters of the horizontal flip (`use_random_horizontal_flip`).
    random_horizontal_flip: HorizontalFlipConfig;

    /// Elastic deformation (Simard et al. 2003), in one resampling with affine map, crop and flip.
    use_elastic_transform,
    /// Parameters of the elastic deformation (`use_elastic_transform`).
    elastic_transform: ElasticTransformConfig;

    /// Gamma: x ← x^γ.
    use_gamma_transform,
    /// Parameters of the gamma transform (`use_gamma_transform`).
    gamma: GammaConfig;

    /// Colour jitter: brightness, contrast, saturation and hue in a random order.
    use_random_color,
    /// Parameters of the colour jitter (`use_random_color`).
    random_color: RandomColorConfig;

    /// Conversion to grayscale.
    use_random_grayscale,
    /// Parameters of the conversion to grayscale (`use_random_grayscale`).
    random_grayscale: GrayscaleConfig;

    /// Gaussian blur.
    use_gaussian_blur,
    /// Parameters of the Gaussian blur (`use_gaussian_blur`).
    gaussian_blur: GaussianBlurConfig;

    /// Solarisation: values at or above the threshold are inverted.
    use_solarize,
    /// Parameters of the solarisation (`use_solarize`).
    solarize: SolarizeConfig;

    /// Erasing of a random rectangle.
    use_random_erasing,
    /// Parameters of random erasing (`use_random_erasing`).
    random_erasing: RandomErasingConfig;

    /// Gaussian noise.
    add_gaussian_noise,
    /// Parameters of the Gaussian noise (`add_gaussian_noise`).
    gaussian_noise: GaussianNoiseConfig;
}

impl AugmentationConfig {
    /// Whether any random operation is on.
    pub fn is_random(&self) -> bool {
        self.operations().next().is_some()
    }
}

/// What is taken from each channel at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NormalizeChoice {
    /// The data set's mean and standard deviation; 0–1 where its card has none.
    #[default]
    Dataset,
    /// ImageNet's mean and standard deviation.
    Imagenet,
    /// Nothing: values stay in 0–1.
    None,
}
