//! Random solarisation.

use super::{Result, change_some, positions, upload};
use tch::Tensor;

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
