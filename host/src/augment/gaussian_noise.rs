//! Random Gaussian noise.

use super::draw::{BatchDraws, Sample, fields};
use super::operation::Operation;
use super::{Result, change_some, positions, upload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

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

    fn change(&self, view: Tensor, draws: &BatchDraws) -> Result<Tensor> {
        let chosen = draws.each("noise", |_, sample| draw(sample, self));
        let (_, channels, height, width) = view.size4()?;
        let mut samples = draws.chosen("noise-field", &chosen);
        let noise = noise(&mut samples, [channels, height, width], view.device())?;
        apply(view, &chosen, &noise, self.std)
    }
}

/// Whether one image gets noise.
pub fn draw(sample: &mut Sample, config: &GaussianNoiseConfig) -> bool {
    sample.chance(config.p_apply)
}

/// Standard normal noise `[n, C, H, W]` of n images out of the random numbers of each.
///
/// `samples` are those of the noise, not of [`draw`].
pub fn noise(samples: &mut [Sample], shape: [i64; 3], device: Device) -> Result<Tensor> {
    let numbers = fields(samples, shape.iter().product::<i64>() as usize, Sample::fill_normal);
    Ok(upload(&numbers, device)?.f_view([samples.len() as i64, shape[0], shape[1], shape[2]])?)
}

/// x ← clamp(x + `std` · noise, 0, 1) for the chosen images; `images`: float32 `[B, C, H, W]` in 0–1.
pub fn apply(mut images: Tensor, chosen: &[bool], noise: &Tensor, std: f64) -> Result<Tensor> {
    let index = positions(chosen, |&on| on);
    if index.is_empty() {
        return Ok(images);
    }
    let index = upload(&index, images.device())?;
    change_some(&mut images, &index, |mut some| Ok(some.f_add_(&noise.f_mul_scalar(std)?)?.f_clamp_(0.0, 1.0)?))?;
    Ok(images)
}
