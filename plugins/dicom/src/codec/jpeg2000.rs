//! JPEG 2000, lossless and lossy.

use super::{Colours, Stored, Values, check_size, extend};
use crate::header::Layout;
use jpeg2k::Image;

/// Decodes a frame.
///
/// # Errors
/// A size other than the header's, subsampled colours, damaged code.
pub fn decode(code: &[u8], layout: &Layout) -> Result<Stored, String> {
    let (height, width, samples) = size(code).ok_or("has JPEG 2000 code without a size")?;
    check_size(layout, height, width, samples)?;
    let image = Image::from_bytes(code).map_err(|error| format!("has damaged JPEG 2000 code: {error}"))?;
    let components = image.components();
    let is_whole = |component: &jpeg2k::ImageComponent| component.data().len() == layout.rows * layout.columns;
    if components.len() != layout.samples || !components.iter().all(is_whole) {
        return Err("has JPEG 2000 code whose components have sizes of their own".into());
    }
    let mut values = vec![0; layout.count()];
    for (index, component) in components.iter().enumerate() {
        let bits = component.precision();
        if bits == 0 || bits > 31 {
            return Err(format!("has JPEG 2000 code of {bits} bits"));
        }
        // Some files state signed pixels around an unsigned stream: the header's word counts.
        let places = values.iter_mut().skip(index).step_by(layout.samples);
        for (place, &value) in places.zip(component.data()) {
            *place = extend(value as u32, bits, layout.signed);
        }
    }
    // The decoder has undone the stream's own colour transformation.
    Ok(Stored { values: Values::Wide(values), colours: Colours::Rgb })
}

/// Height, width and components from the SIZ segment (ISO/IEC 15444-1 §A.5.1).
fn size(code: &[u8]) -> Option<(usize, usize, usize)> {
    let at = code.windows(4).position(|four| four == [0xff, 0x4f, 0xff, 0x51])? + 4;
    let field = |offset: usize| {
        let four = code.get(at + offset..at + offset + 4)?;
        Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    };
    let (width, height, left, top) = (field(4)?, field(8)?, field(12)?, field(16)?);
    let components = u16::from_be_bytes([*code.get(at + 36)?, *code.get(at + 37)?]);
    Some((height.checked_sub(top)? as usize, width.checked_sub(left)? as usize, components.into()))
}
