//! JPEG: baseline, extended, progressive and lossless.

use super::{Colours, Stored, Values, check_size, extend, header_colours};
use crate::bounds;
use crate::layout::Layout;
use libjpeg_turbo_rs::decode::marker::MarkerReader;
use libjpeg_turbo_rs::precision::{decompress_12bit_with_limits, decompress_lossless_arbitrary};
use libjpeg_turbo_rs::{ColorSpace, DecodeLimits, Decoder, JpegError};
use selfsame_plugin_api::jpeg::{self, Start};

/// Decodes a frame.
///
/// # Errors
/// A size other than the header's, a process that is not read, damaged code.
pub fn decode(code: &[u8], layout: &Layout) -> Result<Stored, String> {
    let damaged = |error: JpegError| format!("has damaged JPEG code: {error}");
    // The decoders' own reader: what it finds is what they allocate for.
    let mut reader = MarkerReader::new(code);
    reader.set_scan_cap(bounds::SCANS);
    let start = reader.read_markers().map_err(damaged)?;
    let frame = &start.frame;
    check_size(layout, frame.height(), frame.width(), frame.components.len())?;
    let (values, colours) = match (frame.is_lossless, frame.precision) {
        _ if start.is_arithmetic => return Err("has JPEG code with arithmetic coding, which is not read".into()),
        (false, 8) => (lossy(code, layout), colours(code, layout)),
        (false, 12) if layout.samples == 1 && !frame.is_progressive => (extended(code, layout), Colours::Rgb),
        // Lossless code holds the colours that its components or the header name, whatever its segments say.
        (true, bits @ 2..=16) => {
            let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
            let colours = if jpeg::has_rgb_ids(&ids) { Colours::Rgb } else { header_colours(layout) };
            (lossless(code, layout, bits.into()), colours)
        }
        (is_lossless, bits) => {
            let process = if is_lossless { "lossless" } else { "lossy" };
            return Err(format!(
                "has {process} JPEG code of {bits} bits, {} samples, which is not read",
                layout.samples
            ));
        }
    };
    let values = values.map_err(damaged)?;
    if values.len() != layout.count() {
        return Err(format!("has JPEG code for {} samples, expected {}", values.len(), layout.count()));
    }
    Ok(Stored { values, colours })
}

/// As the code says, else as the header does.
fn colours(code: &[u8], layout: &Layout) -> Colours {
    match Start::read(code).and_then(|start| start.colours()) {
        Some(jpeg::Colours::Rgb) => Colours::Rgb,
        Some(jpeg::Colours::YCbCr) => Colours::YbrFull,
        None => header_colours(layout),
    }
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
