//! JPEG-LS, lossless and near-lossless, of one sample per pixel.

use super::{Colours, Stored, Values, check_size, extend};
use crate::layout::Layout;

/// Decodes a frame.
///
/// # Errors
/// Several samples per pixel, a size other than the header's, damaged code.
pub fn decode(code: &[u8], layout: &Layout) -> Result<Stored, String> {
    let (bits, height, width, samples) = start_of_frame(code).ok_or("has JPEG-LS code without a frame header")?;
    check_size(layout, height, width, samples)?;
    if samples != 1 {
        return Err("has JPEG-LS code in colour, which is not read".into());
    }
    if bits == 0 || bits > 16 {
        return Err(format!("has JPEG-LS code of {bits} bits"));
    }
    let (values, _, _) = ::jpegls::decode(code, layout.columns as u32, layout.rows as u32)
        .map_err(|error| format!("has damaged JPEG-LS code: {error}"))?;
    if values.len() != layout.count() {
        return Err(format!("has JPEG-LS code for {} samples, expected {}", values.len(), layout.count()));
    }
    let values = values.into_iter().map(|value| extend(value.into(), bits, layout.signed)).collect();
    Ok(Stored { values: Values::Wide(values), colours: Colours::Rgb })
}

/// Precision, height, width and components from the SOF₅₅ segment.
pub fn start_of_frame(code: &[u8]) -> Option<(u32, usize, usize, usize)> {
    let mut at = 2;
    loop {
        let &[0xff, marker, high, low, ..] = code.get(at..)? else { return None };
        // The first scan: a frame header would have stood before it.
        if marker == 0xda {
            return None;
        }
        if marker == 0xf7 {
            let &[bits, top, bottom, left, right, components, ..] = code.get(at + 4..)? else { return None };
            let pair = |high, low| usize::from(u16::from_be_bytes([high, low]));
            return Some((bits.into(), pair(top, bottom), pair(left, right), components.into()));
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}
