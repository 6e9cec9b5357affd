//! JPEG: baseline, extended, progressive and lossless.

use super::{Colours, Stored, Values, check_size, extend, header_colours, jpeg12};
use crate::bounds;
use crate::header::Layout;
use jpeg_decoder::{ColorTransform, PixelFormat};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Decodes a frame.
///
/// # Errors
/// A size other than the header's, a process that is not read, damaged code.
pub fn decode(code: Vec<u8>, layout: &Layout) -> Result<Stored, String> {
    let start = Start::find(&code).ok_or("has JPEG code without a frame header")?;
    check_size(layout, start.height, start.width, start.components)?;
    match (start.marker, start.bits) {
        (0xc0..=0xc2, 8) => lossy(&code, layout, &start),
        (0xc1, 12) if layout.samples == 1 => {
            let values = jpeg12::decode(&code, layout).map_err(|why| format!("has damaged JPEG code: {why}"))?;
            let values = values.into_iter().map(|value| extend(value.into(), 12, layout.signed)).collect();
            Ok(Stored { values: Values::Wide(values), colours: Colours::Rgb })
        }
        (0xc3, 2..=16) => lossless(&code, layout, &start),
        (marker, bits) => {
            Err(format!("has JPEG code of {bits} bits with the process SOF{}, which is not read", marker & 15))
        }
    }
}

fn lossy(code: &[u8], layout: &Layout, start: &Start) -> Result<Stored, String> {
    let wrong = |error| format!("has damaged JPEG code: {error}");
    // The samples as they are in the stream, so that one place alone decides what they mean.
    let output = match (layout.samples, start.colours) {
        (1, _) => ColorSpace::Luma,
        (_, Some(Colours::Rgb)) => ColorSpace::RGB,
        _ => ColorSpace::YCbCr,
    };
    let colours = start.colours.unwrap_or_else(|| header_colours(layout));
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(layout.columns)
        .set_max_height(layout.rows)
        .jpeg_set_max_scans(bounds::SCANS)
        .jpeg_set_out_colorspace(output);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(code), options);
    let bytes = decoder.decode().map_err(wrong)?;
    if bytes.len() != layout.count() {
        return Err(format!("has JPEG code for {} samples, expected {}", bytes.len(), layout.count()));
    }
    let values = match layout.signed {
        true => Values::Wide(bytes.into_iter().map(|byte| extend(byte.into(), 8, true)).collect()),
        false => Values::Bytes(bytes),
    };
    Ok(Stored { values, colours })
}

fn lossless(code: &[u8], layout: &Layout, start: &Start) -> Result<Stored, String> {
    let wrong = |error| format!("has damaged JPEG code: {error}");
    let mut decoder = jpeg_decoder::Decoder::new(code);
    decoder.set_color_transform(ColorTransform::None);
    decoder.set_max_decoding_buffer_size(2 * layout.count());
    let bytes = decoder.decode().map_err(wrong)?;
    let is_wide = decoder.info().is_some_and(|info| info.pixel_format == PixelFormat::L16);
    let values: Vec<i32> = if is_wide {
        let wide = bytes.chunks_exact(2).map(|two| u16::from_ne_bytes([two[0], two[1]]));
        wide.map(|value| extend(value.into(), start.bits, layout.signed)).collect()
    } else {
        bytes.into_iter().map(|byte| extend(byte.into(), start.bits, layout.signed)).collect()
    };
    if values.len() != layout.count() {
        return Err(format!("has JPEG code for {} samples, expected {}", values.len(), layout.count()));
    }
    Ok(Stored { values: Values::Wide(values), colours: header_colours(layout) })
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
