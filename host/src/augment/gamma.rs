//! Random gamma: x ← x^γ.

use super::draw::{BatchDraws, Sample};
use super::operation::{Apply, Operation, range};
use super::{Result, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Gamma.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GammaConfig {
    /// Smallest and largest exponent, above 0.
    #[schemars(extend("x-ordered" = true, "items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub scale: [f64; 2],
}

impl Default for GammaConfig {
    fn default() -> Self {
        Self { scale: [0.5, 1.5] }
    }
}

impl Operation for GammaConfig {
    fn describe(&self) -> String {
        format!("gamma {}", range(self.scale))
    }

    fn draw(&self, draws: &BatchDraws, _: usize, _: Size) -> Apply {
        let exponents = draws.each("gamma", |_, sample| draw(sample, self));
        Box::new(move |view| apply(view, &exponents))
    }
}

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
