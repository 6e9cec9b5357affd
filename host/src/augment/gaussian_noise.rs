//! Random Gaussian noise.

use super::draw::{Draws, Sample, fields};
use super::{Result, change_some, positions, upload};
use crate::config::schema::GaussianNoiseConfig;
use tch::{Device, Tensor};

/// Whether one image gets noise.
pub fn draw(sample: &mut Sample, config: &GaussianNoiseConfig) -> bool {
    sample.chance(config.p_apply)
}

/// Standard normal noise `[n, C, H, W]` for the images for which `chosen` says so.
///
/// `draws` are those of the noise, not of [`draw`].
pub fn noise(draws: &Draws, ids: &[i64], chosen: &[bool], shape: [i64; 3], device: Device) -> Result<Tensor> {
    let ids: Vec<i64> = ids.iter().zip(chosen).filter(|(_, on)| **on).map(|(id, _)| *id).collect();
    let numbers = fields(draws, &ids, shape.iter().product::<i64>() as usize, Sample::fill_normal);
    Ok(upload(&numbers, device)?.f_view([ids.len() as i64, shape[0], shape[1], shape[2]])?)
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
