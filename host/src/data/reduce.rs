//! Making large images smaller, once, when they are decoded.
//!
//! The filter is the bicubic one of Keys (1981) with a = −0.5, stretched by the scale so that nothing aliases; it is what
//! Pillow's `resize(…, BICUBIC)` computes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U16};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use selfsame_plugin_api::{Image, PluginError};

/// The longer side may be this many times as long as the shorter one's limit: one long strip must not decide how large the
/// canvas of a whole batch is.
const LONGEST: usize = 4;

/// Height and width after reducing: the shorter side at most `side` and the longer one at most four times that, aspect
/// ratio kept, nothing enlarged.
pub fn reduced_size((height, width): (usize, usize), side: usize) -> (usize, usize) {
    let (shorter, longer) = (height.min(width), height.max(width));
    let scale = (side as f64 / shorter as f64).min((LONGEST * side) as f64 / longer as f64);
    if scale >= 1.0 {
        return (height, width);
    }
    let scaled = |length: usize| ((length as f64 * scale).round() as usize).max(1);
    (scaled(height), scaled(width))
}

/// The image, its shorter side at most `side` pixels long.
///
/// # Errors
/// An image with another number of bytes than its shape says.
pub fn reduce(image: Image, side: usize) -> Result<Image, PluginError> {
    let (height, width) = reduced_size((image.height, image.width), side);
    if (height, width) == (image.height, image.width) {
        return Ok(image);
    }
    let (from, to) = ((image.height, image.width), (height, width));
    let data = if image.bit_depth == 16 {
        let pixels: Vec<U16> =
            image.data.chunks_exact(2).map(|two| U16::new(u16::from_le_bytes([two[0], two[1]]))).collect();
        let reduced = planes(&pixels, image.channels, from, to)?;
        reduced.iter().flat_map(|pixel| pixel.0.to_le_bytes()).collect()
    } else {
        let pixels: Vec<U8> = image.data.iter().map(|byte| U8::new(*byte)).collect();
        planes(&pixels, image.channels, from, to)?.iter().map(|pixel| pixel.0).collect()
    };
    Ok(Image { height, width, data, ..image })
}

fn planes<P: PixelTrait + Default>(
    pixels: &[P],
    channels: usize,
    from: (usize, usize),
    to: (usize, usize),
) -> Result<Vec<P>, PluginError> {
    let wrong = |error: String| PluginError::data(format!("an image of {}×{} pixels: {error}", from.0, from.1));
    let length = |value: usize| u32::try_from(value).map_err(|_| wrong("a side is too long".into()));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    let mut resizer = Resizer::new();
    let mut out = vec![P::default(); channels * to.0 * to.1];
    for (plane, target) in pixels.chunks_exact(from.0 * from.1).zip(out.chunks_exact_mut(to.0 * to.1)) {
        let source = TypedImageRef::new(length(from.1)?, length(from.0)?, plane).map_err(|e| wrong(e.to_string()))?;
        let mut target = TypedImage::from_pixels_slice(length(to.1)?, length(to.0)?, target)
            .map_err(|error| wrong(error.to_string()))?;
        resizer.resize_typed(&source, &mut target, &options).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(out)
}
