//! Random gamma: x ← x^γ.

use super::draw::Sample;
use super::{Result, upload};
use crate::config::schema::GammaConfig;
use tch::Tensor;

/// Draws one image's exponent.
pub fn draw(sample: &mut Sample, config: &GammaConfig) -> f64 {
    sample.uniform(config.scale[0], config.scale[1])
}

/// Raises each image to its own power; `images`: float32 `[B, C, H, W]` in 0–1.
pub fn apply(mut images: Tensor, exponents: &[f64]) -> Result<Tensor> {
    let exponents: Vec<f32> = exponents.iter().map(|&exponent| exponent as f32).collect();
    let exponents = upload(&exponents, images.device())?.f_view([-1, 1, 1, 1])?;
    Ok(images.f_pow_tensor_(&exponents)?)
}
