//! Making large images smaller, once, when they are decoded.
//!
//! The filter is the bicubic one of Keys (1981) with a = −0.5, stretched by the scale so that nothing aliases; it is what
//! Pillow's `resize(…, BICUBIC)` computes.

use super::depth::Depth;
use super::size::Size;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U16};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use selfsame_plugin_api::{Image, PluginError};

/// The longer side may be this many times as long as the shorter one's limit: one long strip must not decide how large the
/// canvas of a whole batch is.
const LONGEST: usize = 4;

/// The size after reducing: the shorter side at most `side` and the longer one at most four times that, aspect
/// ratio kept, nothing enlarged.
pub fn reduced_size(size: Size, side: usize) -> Size {
    let scale = (side as f64 / size.shorter() as f64).min((LONGEST * side) as f64 / size.longer() as f64);
    if scale >= 1.0 {
        return size;
    }
    let scaled = |length: usize| ((length as f64 * scale).round() as usize).max(1);
    Size { height: scaled(size.height), width: scaled(size.width) }
}

/// The image, its shorter side at most `side` pixels long.
///
/// # Errors
/// An image with another number of bytes than its shape says.
pub fn reduce(image: Image, side: usize) -> Result<Image, PluginError> {
    let from = Size::from(&image);
    let to = reduced_size(from, side);
    if to == from {
        return Ok(image);
    }
    let reduced = match Depth::try_from(image.bit_depth).map_err(PluginError::data)? {
        Depth::U8 => planes::<U8>,
        Depth::U16 => planes::<U16>,
    };
    let data = reduced(&image.data, image.channels, from, to)?;
    Ok(Image { height: to.height, width: to.width, data, ..image })
}

/// Each plane of an image reduced; the bytes are those of its pixels (little-endian, as the processor's).
fn planes<P: PixelTrait>(bytes: &[u8], channels: usize, from: Size, to: Size) -> Result<Vec<u8>, PluginError> {
    let wrong = |error: String| PluginError::data(format!("an image of {from} pixels: {error}"));
    let length = |value: usize| u32::try_from(value).map_err(|_| wrong("a side is too long".into()));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    let mut resizer = Resizer::new();
    let plane = |size: Size| size.area() * P::size();
    let mut out = vec![0; channels * plane(to)];
    for (plane, target) in bytes.chunks_exact(plane(from)).zip(out.chunks_exact_mut(plane(to))) {
        let source = TypedImageRef::<P>::from_buffer(length(from.width)?, length(from.height)?, plane)
            .map_err(|error| wrong(error.to_string()))?;
        let mut target = TypedImage::<P>::from_buffer(length(to.width)?, length(to.height)?, target)
            .map_err(|error| wrong(error.to_string()))?;
        resizer.resize_typed(&source, &mut target, &options).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(out)
}
