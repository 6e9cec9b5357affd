//! What the length of uncompressed pixels says about a header.

use crate::layout::Layout;
use crate::photometric::Photometric;

/// The layout of uncompressed pixels of `length` bytes: the header's, but `YBR_FULL_422` whose length is exactly three bytes
/// for each pixel of each frame is `YBR_FULL`. Programs that decompress leave the interpretation of the compressed code.
///
/// # Errors
/// Pixels that are shorter than the header says, or `YBR_FULL_422` that could be either.
pub fn fitted(layout: &Layout, length: u64) -> Result<Layout, String> {
    let needed = frame_bytes(layout) * u64::from(layout.frames);
    if length < needed {
        return Err(format!(
            "has {length} bytes of pixels, expected {needed} ({} frames of {}×{} pixels, {} samples of {} bits)",
            layout.frames, layout.rows, layout.columns, layout.samples, layout.allocated
        ));
    }
    let is_422 = layout.photometric == Photometric::YbrFull422 && layout.columns.is_multiple_of(2);
    if !is_422 || layout.allocated != 8 {
        return Ok(layout.clone());
    }
    let full = layout.count() as u64 * u64::from(layout.frames);
    // A byte fills an odd length up, and whole frames may be more than the header counts.
    let is_whole = length % frame_bytes(layout) <= 1;
    match length {
        _ if length == full => Ok(Layout { photometric: Photometric::YbrFull, ..layout.clone() }),
        _ if length < full || is_whole => Ok(layout.clone()),
        _ => Err(format!(
            "has {length} bytes of pixels, expected {needed} as its YBR_FULL_422 has them, or {full} as YBR_FULL; correct \
             Photometric Interpretation, or convert it to RGB"
        )),
    }
}

/// Bytes of one uncompressed frame. `YBR_FULL_422` stores both colour differences once for two pixels.
pub fn frame_bytes(layout: &Layout) -> u64 {
    let bytes = layout.count() as u64 * u64::from(layout.allocated / 8);
    if layout.photometric == Photometric::YbrFull422 { bytes * 2 / 3 } else { bytes }
}

/// In words, uncompressed pixels of which a row or more is not read; less is padding.
pub fn surplus(layout: &Layout, length: u64) -> Option<String> {
    let layout = fitted(layout, length).ok()?;
    let frame = frame_bytes(&layout);
    let needed = frame * u64::from(layout.frames);
    let row = (frame / layout.rows as u64).max(2);
    (length >= needed + row).then(|| format!("{length} bytes of pixels, {needed} by its header"))
}
