//! JPEG: baseline, extended, progressive and lossless.

use super::{Colours, Stored, Values, check_size, extend, header_colours};
use crate::bounds;
use crate::header::Layout;
use libjpeg_turbo_rs::precision::{decompress_12bit_with_limits, decompress_lossless_arbitrary};
use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, JpegError};

/// Decodes a frame.
///
/// # Errors
/// A size other than the header's, a process that is not read, damaged code.
pub fn decode(code: &[u8], layout: &Layout) -> Result<Stored, String> {
    let start = Start::find(code).ok_or("has JPEG code without a frame header")?;
    check_size(layout, start.height, start.width, start.components)?;
    let colours = start.colours.unwrap_or_else(|| header_colours(layout));
    let (values, colours) = match (start.marker, start.bits) {
        (0xc0..=0xc2, 8) => (lossy(code, layout), colours),
        (0xc1, 12) if layout.samples == 1 => (extended(code, layout), colours),
        // Lossless code holds the colours that the header names, whatever its segments say.
        (0xc3, 2..=16) => (lossless(code, layout, start.bits), header_colours(layout)),
        (marker, bits) => {
            return Err(format!("has JPEG code of {bits} bits with the process SOF{}, which is not read", marker & 15));
        }
    };
    let values = values.map_err(|error| format!("has damaged JPEG code: {error}"))?;
    if values.len() != layout.count() {
        return Err(format!("has JPEG code for {} samples, expected {}", values.len(), layout.count()));
    }
    Ok(Stored { values, colours })
}

fn lossy(code: &[u8], layout: &Layout) -> Result<Values, JpegError> {
    let mut decoder = Decoder::new_with_limits(code, limits(layout))?;
    // The samples as they are in the stream, so that one place alone decides what they mean.
    if decoder.jpeg_color_space() == ColorSpace::YCbCr {
        decoder.set_output_colorspace(ColorSpace::YCbCr);
    }
    let bytes = decoder.decode_image()?.data;
    Ok(match layout.signed {
        true => Values::Wide(bytes.into_iter().map(|byte| extend(byte.into(), 8, true)).collect()),
        false => Values::Bytes(bytes),
    })
}

fn extended(code: &[u8], layout: &Layout) -> Result<Values, JpegError> {
    let samples = decompress_12bit_with_limits(code, &limits(layout))?.data;
    Ok(Values::Wide(samples.into_iter().map(|value| extend(value as u32, 12, layout.signed)).collect()))
}

fn lossless(code: &[u8], layout: &Layout, bits: u32) -> Result<Values, JpegError> {
    let samples = decompress_lossless_arbitrary(code)?.data;
    Ok(Values::Wide(samples.into_iter().map(|value| extend(value.into(), bits, layout.signed)).collect()))
}

fn limits(layout: &Layout) -> DecodeLimits {
    DecodeLimits {
        max_width: layout.columns,
        max_height: layout.rows,
        max_scans: bounds::SCANS,
        ..DecodeLimits::default()
    }
}

/// What a stream says about itself before its first scan.
struct Start {
    marker: u8,
    bits: u32,
    height: usize,
    width: usize,
    components: usize,
    /// By an Adobe or JFIF segment.
    colours: Option<Colours>,
}

impl Start {
    fn find(code: &[u8]) -> Option<Self> {
        let mut colours = None;
        let mut at = 2;
        loop {
            while code.get(at) == Some(&0xff) && code.get(at + 1) == Some(&0xff) {
                at += 1;
            }
            let &[0xff, marker, high, low, ..] = code.get(at..)? else { return None };
            let body = code.get(at + 4..)?;
            match marker {
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                    let &[bits, top, bottom, left, right, components, ..] = body else { return None };
                    return Some(Self {
                        marker,
                        bits: bits.into(),
                        height: usize::from(u16::from_be_bytes([top, bottom])),
                        width: usize::from(u16::from_be_bytes([left, right])),
                        components: components.into(),
                        colours,
                    });
                }
                0xe0 if body.starts_with(b"JFIF\0") => colours = colours.or(Some(Colours::YbrFull)),
                0xee if body.starts_with(b"Adobe") => {
                    colours = Some(if *body.get(11)? == 0 { Colours::Rgb } else { Colours::YbrFull });
                }
                _ => {}
            }
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
    }
}
