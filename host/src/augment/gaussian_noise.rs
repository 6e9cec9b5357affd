//! Random Gaussian noise.

use super::draw::{BatchDraws, Sample, fields};
use super::operation::{Apply, Operation};
use super::{Result, change_some, positions, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

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

impl Operation for GaussianNoiseConfig {
    fn describe(&self) -> String {
        format!("noise {} p {}", self.std, self.p_apply)
    }

    fn draw(&self, draws: &BatchDraws, channels: usize, view: Size) -> Apply {
        let chosen = draws.each("noise", |_, sample| draw(sample, self));
        let numbers = noise(&mut draws.chosen("noise-field", &chosen), channels * view.area());
        let std = self.std;
        Box::new(move |view| apply(view, &chosen, &numbers, std))
    }
}

/// Whether one image gets noise.
pub fn draw(sample: &mut Sample, config: &GaussianNoiseConfig) -> bool {
    sample.chance(config.p_apply)
}

/// Standard normal noise of images of `len` values each, one image after the other, out of the random numbers of each.
///
/// `samples` are those of the noise, not of [`draw`].
pub fn noise(samples: &mut [Sample], len: usize) -> Vec<f32> {
    fields(samples, len, Sample::fill_normal)
}

/// x ← clamp(x + `std` · noise, 0, 1) for the chosen images, of which alone there is noise; `images`: float32
/// `[B, C, H, W]` in 0–1.
pub fn apply(mut images: Tensor, chosen: &[bool], noise: &[f32], std: f64) -> Result<Tensor> {
    let index = positions(chosen, |&on| on);
    if index.is_empty() {
        return Ok(images);
    }
    let index = upload(&index, images.device())?;
    let noise = upload(noise, images.device())?;
    change_some(&mut images, &index, |mut some| {
        let noise = noise.f_view_as(&some)?.f_mul_scalar(std)?;
        Ok(some.f_add_(&noise)?.f_clamp_(0.0, 1.0)?)
    })?;
    Ok(images)
}
