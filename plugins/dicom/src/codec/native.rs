//! Uncompressed pixels.

use super::{Colours, Stored, Values, extend, header_colours};
use crate::coding::Coding;
use crate::layout::Layout;
use crate::photometric::Photometric;

/// Unpacks a frame's cells.
pub fn decode(bytes: Vec<u8>, layout: &Layout, coding: Coding) -> Result<Stored, String> {
    if layout.photometric == Photometric::YbrFull422 {
        return subsampled(&bytes, layout);
    }
    if layout.stored == 8 && layout.allocated == 8 && layout.samples == 1 && !layout.signed {
        return Ok(Stored { values: Values::Bytes(bytes), colours: Colours::Rgb });
    }
    let values = cells(&bytes, layout, coding)?;
    Ok(Stored { values: Values::Wide(interleave(values, layout)), colours: header_colours(layout) })
}

/// The stored bits of each cell.
pub fn cells(bytes: &[u8], layout: &Layout, coding: Coding) -> Result<Vec<i32>, String> {
    let bytewise = || bytes.iter().map(|&byte| u32::from(byte));
    let short = || bytes.chunks_exact(2).map(|two| u32::from(coding.u16([two[0], two[1]])));
    let long = || bytes.chunks_exact(4).map(|four| coding.u32([four[0], four[1], four[2], four[3]]));
    let shift = match layout.allocated {
        8 => shift(layout, bytewise()),
        16 => shift(layout, short()),
        _ => shift(layout, long()),
    };
    let cell = |value: u32| extend(value >> shift, layout.stored, layout.signed);
    match layout.allocated {
        8 => Ok(bytewise().map(cell).collect()),
        16 => Ok(short().map(cell).collect()),
        _ => {
            let values = long().map(|value| {
                let value = cell(value);
                (layout.signed || value >= 0).then_some(value)
            });
            values
                .collect::<Option<_>>()
                .ok_or_else(|| "has unsigned samples beyond 2³¹ − 1, which are not read".into())
        }
    }
}

/// How many bits lie below the stored ones. A header that puts them at the top of cells of which none uses the top, but some the
/// bottom, is wrong: they lie at the bottom.
fn shift(layout: &Layout, cells: impl Iterator<Item = u32>) -> u32 {
    let shift = layout.high + 1 - layout.stored;
    if shift == 0 {
        return 0;
    }
    let used = cells.fold(0, |used, cell| used | cell);
    let is_at_the_bottom = used >> layout.stored == 0 && used & ((1 << shift) - 1) != 0;
    if is_at_the_bottom { 0 } else { shift }
}

/// From colour by colour to pixel by pixel.
pub fn interleave(values: Vec<i32>, layout: &Layout) -> Vec<i32> {
    if !layout.planar || layout.samples == 1 {
        return values;
    }
    let plane = layout.rows * layout.columns;
    (0..values.len()).map(|at| values[at % layout.samples * plane + at / layout.samples]).collect()
}

/// Two luminances, then their common colour differences (PS3.3 §C.7.6.3.1.2).
fn subsampled(bytes: &[u8], layout: &Layout) -> Result<Stored, String> {
    if layout.allocated != 8 || layout.samples != 3 || !layout.columns.is_multiple_of(2) {
        return Err("has YBR_FULL_422 pixels that are not of 8 bits, of three samples and of even width".into());
    }
    let values = bytes.chunks_exact(4).flat_map(|four| {
        let [first, second, blue, red] = [four[0], four[1], four[2], four[3]].map(i32::from);
        [first, blue, red, second, blue, red]
    });
    Ok(Stored { values: Values::Wide(values.collect()), colours: Colours::YbrFull })
}
