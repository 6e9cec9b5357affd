//! Mean and standard deviation of each channel taken out.

use super::{Result, upload};
use tch::Tensor;

/// (x − mean) / std for each channel; `images`: float32 `[B, C, H, W]`, both slices of length C.
pub fn apply(images: &Tensor, mean: &[f64], std: &[f64]) -> Result<Tensor> {
    let channels = mean.len() as i64;
    let factors = std.iter().map(|s| (1.0 / s) as f32);
    let terms = mean.iter().zip(std).map(|(m, s)| (-m / s) as f32);
    let numbers = upload(&factors.chain(terms).collect::<Vec<_>>(), images.device())?;
    let factors = numbers.f_narrow(0, 0, channels)?.f_view([channels, 1, 1])?;
    let terms = numbers.f_narrow(0, channels, channels)?.f_view([channels, 1, 1])?;
    Ok(terms.f_addcmul(images, &factors)?)
}
