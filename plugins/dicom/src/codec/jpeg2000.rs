//! JPEG 2000, lossless and lossy.

use super::codestream::{Codestream, unwrapped};
use super::{Stored, Values, check_size, extend, header_colours};
use crate::layout::Layout;
use jpeg2k::Image;

/// Decodes a frame.
///
/// # Errors
/// A size other than the header's, subsampled colours, a stream that asks for more than the bounds allow, damaged code.
pub fn decode(code: &[u8], layout: &Layout) -> Result<Stored, String> {
    let code = unwrapped(code).ok_or("has something other than JPEG 2000 code")?;
    let stream = Codestream::new(code)?;
    check_size(layout, stream.height, stream.width, stream.components)?;
    stream.check()?;
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
    // The decoder has undone the stream's own colour transformation (YBR_ICT and YBR_RCT), and no other.
    Ok(Stored { values: Values::Wide(values), colours: header_colours(layout) })
}
