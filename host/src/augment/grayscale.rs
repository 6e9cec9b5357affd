//! Random conversion to grey.

use super::draw::BatchDraws;
use super::operation::{Apply, Misfit, Operation};
use super::{Result, change_some, positions, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

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

impl Operation for GrayscaleConfig {
    fn describe(&self) -> String {
        format!("grey p {}", self.prob)
    }

    fn draw(&self, draws: &BatchDraws, _: usize, _: Size) -> Apply {
        let chosen = draws.each("grayscale", |_, sample| sample.chance(self.prob));
        Box::new(move |view| apply(view, &chosen))
    }

    fn misfit(&self, channels: usize, _: Size) -> Option<Misfit> {
        without_grey("use_random_grayscale", channels)
    }
}

/// What is wrong with images of which there is no grey version.
pub(super) fn without_grey(key: &'static str, channels: usize) -> Option<Misfit> {
    let message = format!("needs images with 1 or 3 channels, the data set has {channels}; set it to false");
    (!matches!(channels, 1 | 3)).then_some(Misfit { key, message })
}

/// Luma of red, green and blue, as torchvision has them.
pub const WEIGHTS: [f32; 3] = [0.2989, 0.587, 0.114];

/// The grey image `[B, 1, H, W]` of `[B, 3, H, W]`, with [`WEIGHTS`] as `[1, 3, 1, 1]`; one channel is grey already.
pub fn grey(images: &Tensor, weights: &Tensor) -> Result<Tensor> {
    if images.size4()?.1 == 1 {
        return Ok(images.shallow_clone());
    }
    let weighted = images.f_mul(weights)?;
    let channel = |c: i64| weighted.f_narrow(1, c, 1);
    Ok(channel(0)?.f_add(&channel(1)?)?.f_add_(&channel(2)?)?)
}

/// Makes the images grey for which `params` says so; `images`: float32 `[B, C, H, W]` with C 1 or 3.
pub fn apply(mut images: Tensor, params: &[bool]) -> Result<Tensor> {
    let chosen = positions(params, |&on| on);
    if chosen.is_empty() || images.size4()?.1 == 1 {
        return Ok(images);
    }
    let numbers = upload(&[WEIGHTS.as_slice(), &chosen].concat(), images.device())?;
    let weights = numbers.f_narrow(0, 0, 3)?.f_view([1, 3, 1, 1])?;
    let chosen = numbers.f_narrow(0, 3, chosen.len() as i64)?;
    change_some(&mut images, &chosen, |some| Ok(grey(&some, &weights)?.f_expand_as(&some)?))?;
    Ok(images)
}
