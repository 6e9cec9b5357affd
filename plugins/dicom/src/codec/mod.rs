//! From a frame's bytes to its stored samples, by transfer syntax.

mod jpeg;
mod jpeg12;
mod jpeg2000;
mod jpegls;
mod native;
mod rle;

use crate::frame;
use crate::header::Layout;
use crate::source::{Pixels, Source};
use std::borrow::Cow;

/// Raise it when any decoder's pixels change: kept pixels are then decoded again.
pub const VERSION: u32 = 1;

/// Which colours three samples are, once a decoder has undone what its own stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    Rgb,
    YbrFull,
}

/// Samples; those of most films are bytes, and stay bytes on their way to grey.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Bytes(Vec<u8>),
    Wide(Vec<i32>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Bytes(bytes) => bytes.len(),
            Values::Wide(values) => values.len(),
        }
    }

    /// All values as numbers.
    pub fn wide(&self) -> Cow<'_, [i32]> {
        match self {
            Values::Bytes(bytes) => bytes.iter().map(|&byte| byte.into()).collect(),
            Values::Wide(values) => values.into(),
        }
    }
}

/// The samples of one frame as they are stored: `[rows, columns, samples]`, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub values: Values,
    /// Meaningful with three samples per pixel.
    pub colours: Colours,
}

/// The kinds of transfer syntaxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Native,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

fn kind(syntax: &str) -> Result<Kind, String> {
    match syntax {
        "" | "1.2.840.10008.1.2" | "1.2.840.10008.1.2.1" | "1.2.840.10008.1.2.1.99" | "1.2.840.10008.1.2.2" => {
            Ok(Kind::Native)
        }
        "1.2.840.10008.1.2.5" => Ok(Kind::Rle),
        "1.2.840.10008.1.2.4.50"
        | "1.2.840.10008.1.2.4.51"
        | "1.2.840.10008.1.2.4.53"
        | "1.2.840.10008.1.2.4.55"
        | "1.2.840.10008.1.2.4.57"
        | "1.2.840.10008.1.2.4.70" => Ok(Kind::Jpeg),
        "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => Ok(Kind::JpegLs),
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => Ok(Kind::Jpeg2000),
        other => Err(format!(
            "has the transfer syntax {}, which is not read; convert it (to 1.2.840.10008.1.2.4.90, say)",
            name(other)
        )),
    }
}

/// A transfer syntax in words, with its UID.
pub fn name(syntax: &str) -> String {
    let words = match syntax {
        "" => return "none stated (no file meta information)".into(),
        "1.2.840.10008.1.2" => "Implicit VR Little Endian",
        "1.2.840.10008.1.2.1" => "Explicit VR Little Endian",
        "1.2.840.10008.1.2.1.99" => "Deflated Explicit VR Little Endian",
        "1.2.840.10008.1.2.2" => "Explicit VR Big Endian",
        "1.2.840.10008.1.2.5" => "RLE Lossless",
        "1.2.840.10008.1.2.4.50" => "JPEG Baseline",
        "1.2.840.10008.1.2.4.51" => "JPEG Extended",
        "1.2.840.10008.1.2.4.53" => "JPEG Spectral Selection",
        "1.2.840.10008.1.2.4.55" => "JPEG Full Progression",
        "1.2.840.10008.1.2.4.57" => "JPEG Lossless",
        "1.2.840.10008.1.2.4.70" => "JPEG Lossless SV1",
        "1.2.840.10008.1.2.4.80" => "JPEG-LS Lossless",
        "1.2.840.10008.1.2.4.81" => "JPEG-LS Near-Lossless",
        "1.2.840.10008.1.2.4.90" => "JPEG 2000 Lossless",
        "1.2.840.10008.1.2.4.91" => "JPEG 2000",
        "1.2.840.10008.1.2.4.201" | "1.2.840.10008.1.2.4.202" | "1.2.840.10008.1.2.4.203" => {
            "High-Throughput JPEG 2000"
        }
        other => return other.chars().filter(|c| !c.is_control()).take(64).collect(),
    };
    format!("{words} ({syntax})")
}

/// Reads and decodes one frame.
///
/// # Errors
/// A transfer syntax that is not read, code that is damaged, sizes that contradict the header.
pub fn decode(source: &mut Source, layout: &Layout, pixels: Pixels, frame: u32) -> Result<Stored, String> {
    let kind = kind(&source.syntax)?;
    if kind == Kind::Native {
        let bytes = frame::native(source, layout, pixels, frame)?;
        return native::decode(bytes, layout, source.coding, pixels.representation);
    }
    let code = frame::encapsulated(source, layout, pixels, frame)?;
    match kind {
        Kind::Native | Kind::Rle => rle::decode(&code, layout),
        Kind::Jpeg => jpeg::decode(code, layout),
        Kind::JpegLs => jpegls::decode(&code, layout),
        Kind::Jpeg2000 => jpeg2000::decode(&code, layout),
    }
}

/// Which colours the header names.
fn header_colours(layout: &Layout) -> Colours {
    if layout.photometric.starts_with("YBR_FULL") { Colours::YbrFull } else { Colours::Rgb }
}

/// Whether the size that a compressed stream states is the header's. A stream's own size decides what its decoder
/// allocates, so it is compared first.
fn check_size(layout: &Layout, height: usize, width: usize, samples: usize) -> Result<(), String> {
    if (height, width, samples) == (layout.rows, layout.columns, layout.samples) {
        return Ok(());
    }
    Err(format!(
        "has a compressed image of {height}×{width} pixels with {samples} samples, but its header says {}×{} with {}",
        layout.rows, layout.columns, layout.samples
    ))
}

/// The lowest `bits` of a value, as a signed number when the header says so.
fn extend(value: u32, bits: u32, signed: bool) -> i32 {
    let unused = 32 - bits;
    if signed { ((value << unused) as i32) >> unused } else { ((value << unused) >> unused) as i32 }
}
