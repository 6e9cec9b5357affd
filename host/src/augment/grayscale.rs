//! Random conversion to grey.

use super::{Result, change_some, positions, upload};
use tch::Tensor;

/// Luma of red, green and blue, as torchvision has them.
const WEIGHTS: [f64; 3] = [0.2989, 0.587, 0.114];

/// The grey image `[B, 1, H, W]` of `[B, 3, H, W]`; one channel is grey already.
pub fn grey(images: &Tensor) -> Result<Tensor> {
    if images.size4()?.1 == 1 {
        return Ok(images.shallow_clone());
    }
    let channel = |c: i64| -> Result<Tensor> { Ok(images.f_narrow(1, c, 1)?.f_mul_scalar(WEIGHTS[c as usize])?) };
    Ok(channel(0)?.f_add_(&channel(1)?)?.f_add_(&channel(2)?)?)
}

/// Makes the images grey for which `params` says so; `images`: float32 `[B, C, H, W]` with C 1 or 3.
pub fn apply(mut images: Tensor, params: &[bool]) -> Result<Tensor> {
    let chosen = positions(params, |&on| on);
    if chosen.is_empty() || images.size4()?.1 == 1 {
        return Ok(images);
    }
    let chosen = upload(&chosen, images.device())?;
    change_some(&mut images, &chosen, |some| Ok(grey(&some)?.f_expand_as(&some)?))?;
    Ok(images)
}
