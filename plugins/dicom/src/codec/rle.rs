//! RLE Lossless (PS3.5 Annex G): one PackBits segment for each byte of a sample.

use super::{Stored, Values, header_colours, native};
use crate::coding::EXPLICIT_BIG;
use crate::layout::Layout;

const HEADER: usize = 64;

/// Decodes a frame.
///
/// # Errors
/// Segments that are not where the header says, too few, or too short.
pub fn decode(code: &[u8], layout: &Layout) -> Result<Stored, String> {
    let word = |at: usize| {
        let four = code.get(4 * at..4 * at + 4)?;
        Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
    };
    let bytes = layout.allocated as usize / 8;
    let segments = layout.samples * bytes;
    let count = word(0).filter(|_| code.len() >= HEADER).ok_or("has RLE code without its header")?;
    if count != segments {
        return Err(format!("has {count} RLE segments, expected {segments}"));
    }
    let plane = layout.rows * layout.columns;
    // A pair of bytes stands for 128 at most.
    if code.len().saturating_mul(64) < plane * segments {
        return Err(format!("has {} bytes of RLE code, too few for {plane} pixels", code.len()));
    }
    // `[samples, pixels, bytes]`, the most significant byte first.
    let mut cells = vec![0; plane * segments];
    for segment in 0..segments {
        let begin = word(segment + 1).filter(|&begin| begin >= HEADER);
        let end = if segment + 1 < segments { word(segment + 2) } else { Some(code.len()) };
        let packed = begin.zip(end).and_then(|(begin, end)| code.get(begin..end));
        let packed = packed.ok_or_else(|| format!("has RLE segment {segment} outside of its code"))?;
        let (sample, byte) = (segment / bytes, segment % bytes);
        let target = &mut cells[sample * plane * bytes..(sample + 1) * plane * bytes];
        let found = unpack(packed, target.iter_mut().skip(byte).step_by(bytes));
        if found < plane {
            return Err(format!("has RLE segment {segment} for {found} pixels, expected {plane}"));
        }
    }
    let planar = Layout { planar: true, ..layout.clone() };
    let values = native::cells(&cells, layout, EXPLICIT_BIG)?;
    Ok(Stored { values: Values::Wide(native::interleave(values, &planar)), colours: header_colours(layout) })
}

/// Undoes PackBits and returns how many bytes were written, at most as many as there are places.
fn unpack<'c>(packed: &[u8], mut places: impl Iterator<Item = &'c mut u8>) -> usize {
    let mut written = 0;
    let mut rest = packed.iter();
    while let Some(&control) = rest.next() {
        let control = control as i8;
        let (count, literal) = match control {
            0.. => (control as usize + 1, true),
            -128 => continue,
            _ => (usize::from(control.unsigned_abs()) + 1, false),
        };
        let mut value = 0;
        for index in 0..count {
            if literal || index == 0 {
                match rest.next() {
                    Some(&next) => value = next,
                    None => return written,
                }
            }
            match places.next() {
                Some(place) => *place = value,
                None => return written,
            }
            written += 1;
        }
    }
    written
}
