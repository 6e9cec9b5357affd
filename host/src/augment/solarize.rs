//! Random solarisation.

use super::draw::BatchDraws;
use super::operation::{Apply, Operation};
use super::{Result, change_some, positions, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

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

impl Operation for SolarizeConfig {
    fn describe(&self) -> String {
        format!("solarise from {} p {}", self.threshold, self.prob)
    }

    fn draw(&self, draws: &BatchDraws, _: usize, _: Size) -> Apply {
        let (chosen, threshold) = (draws.each("solarize", |_, sample| sample.chance(self.prob)), self.threshold);
        Box::new(move |view| apply(view, &chosen, threshold))
    }
}

/// Inverts the values at or above `threshold` of the images for which `params` says so; `images`: float32
/// `[B, C, H, W]` in 0–1.
pub fn apply(mut images: Tensor, params: &[bool], threshold: f64) -> Result<Tensor> {
    let chosen = positions(params, |&on| on);
    if chosen.is_empty() {
        return Ok(images);
    }
    let chosen = upload(&chosen, images.device())?;
    change_some(&mut images, &chosen, |some| {
        let inverted = some.f_neg()?.f_add_scalar_(1.0)?;
        Ok(inverted.f_where_self(&some.f_ge(threshold)?, &some)?)
    })?;
    Ok(images)
}
