//! The random operations of one view, in their order.

use super::draw::{Draws, ViewKey};
use super::geometry::{Canvas, Geometry};
use super::{
    AugmentError, Result, color_jitter, draw_all, gamma, gaussian_blur, gaussian_noise, grayscale, random_erasing,
    solarize,
};
use crate::config::schema::AugmentationConfig;
use crate::data::Size;
use tch::Tensor;

/// One view's settings.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    config: AugmentationConfig,
    blur_kernel: usize,
}

impl Recipe {
    /// Settings for views of images with `channels` channels; `output` is a view's size.
    pub fn new(config: &AugmentationConfig, channels: usize, output: Size) -> Result<Self> {
        let colour_key = match config {
            a if a.use_random_color => Some("augmentation.use_random_color"),
            a if a.use_random_grayscale => Some("augmentation.use_random_grayscale"),
            _ => None,
        };
        if let Some(key) = colour_key.filter(|_| !matches!(channels, 1 | 3)) {
            return Err(AugmentError::Setting {
                key,
                message: format!("needs images with 1 or 3 channels, the data set has {channels}; set it to false"),
            });
        }
        Ok(Self { config: config.clone(), blur_kernel: blur_kernel(config, output)? })
    }

    /// One random view of each image: float32 `[B, C, h, w]` in 0–1.
    pub fn apply(&self, geometry: Geometry, canvas: Canvas, ids: &[i64], key: ViewKey) -> Result<Tensor> {
        let config = &self.config;
        let mut view = geometry.train(canvas, config, ids, key)?;
        if config.use_gamma_transform {
            let params = draw_all(ids, key, "gamma", |_, s| gamma::draw(s, &config.gamma));
            view = gamma::apply(view, &params)?;
        }
        if config.use_random_color {
            let params = draw_all(ids, key, "color", |_, s| color_jitter::draw(s, &config.random_color));
            view = color_jitter::apply(view, &params)?;
        }
        if config.use_random_grayscale {
            let params = draw_all(ids, key, "grayscale", |_, s| s.chance(config.random_grayscale.prob));
            view = grayscale::apply(view, &params)?;
        }
        if config.use_gaussian_blur {
            let params = draw_all(ids, key, "blur", |_, s| gaussian_blur::draw(s, &config.gaussian_blur));
            view = gaussian_blur::apply(view, &params, self.blur_kernel)?;
        }
        if config.use_solarize {
            let params = draw_all(ids, key, "solarize", |_, s| s.chance(config.solarize.prob));
            view = solarize::apply(view, &params, config.solarize.threshold)?;
        }
        if config.use_random_erasing {
            let size = geometry.output;
            let params = draw_all(ids, key, "erasing", |_, s| random_erasing::draw(s, &config.random_erasing, size));
            view = random_erasing::apply(view, &params)?;
        }
        if config.add_gaussian_noise {
            let chosen = draw_all(ids, key, "noise", |_, s| gaussian_noise::draw(s, &config.gaussian_noise));
            let (_, channels, height, width) = view.size4()?;
            let draws = Draws::new(key, "noise-field");
            let noise = gaussian_noise::noise(&draws, ids, &chosen, [channels, height, width], view.device())?;
            view = gaussian_noise::apply(view, &chosen, &noise, config.gaussian_noise.std)?;
        }
        Ok(view)
    }
}

fn blur_kernel(config: &AugmentationConfig, output: Size) -> Result<usize> {
    let side = output.shorter();
    let size = config.gaussian_blur.kernel_size.unwrap_or_else(|| gaussian_blur::default_kernel_size(side));
    if config.use_gaussian_blur && (size.is_multiple_of(2) || size / 2 >= side) {
        return Err(AugmentError::Setting {
            key: "augmentation.gaussian_blur.kernel_size",
            message: format!("is {size}; expected an odd number below twice the image's shorter side, {side} pixels"),
        });
    }
    Ok(size)
}
