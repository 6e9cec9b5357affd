//! From a frame's bytes to its stored samples, by transfer syntax.
//!
//! The decoders' crates are called directly: dicom-rs's adapters around them read 8 and 16 bits only and trust the stream's
//! size; its RLE panics on damaged code, its baseline JPEG is slower than libjpeg-turbo-rs, its JPEG-LS needs CMake.

mod codestream;
mod jpeg;
mod jpeg2000;
mod jpegls;
mod native;
mod rle;

use crate::coding::Coding;
use crate::layout::Layout;
use crate::photometric::Photometric;
use dicom_dictionary_std::uids;
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_BIG_ENDIAN;
use std::borrow::Cow;

/// Raise it when any decoder's pixels change: kept pixels are then decoded again.
pub const VERSION: u32 = 5;

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
        ""
        | uids::IMPLICIT_VR_LITTLE_ENDIAN
        | uids::EXPLICIT_VR_LITTLE_ENDIAN
        | uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN => Ok(Kind::Native),
        big if big == EXPLICIT_VR_BIG_ENDIAN.uid() => Ok(Kind::Native),
        uids::RLE_LOSSLESS => Ok(Kind::Rle),
        // Spectral selection and full progression are retired, but read.
        uids::JPEG_BASELINE8_BIT
        | uids::JPEG_EXTENDED12_BIT
        | "1.2.840.10008.1.2.4.53"
        | "1.2.840.10008.1.2.4.55"
        | uids::JPEG_LOSSLESS
        | uids::JPEG_LOSSLESS_SV1 => Ok(Kind::Jpeg),
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => Ok(Kind::JpegLs),
        uids::JPEG2000_LOSSLESS | uids::JPEG2000 | uids::HTJ2K_LOSSLESS | uids::HTJ2K_LOSSLESS_RPCL | uids::HTJ2K => {
            Ok(Kind::Jpeg2000)
        }
        other => Err(format!(
            "has the transfer syntax {}, which is not read; convert it (to {}, say)",
            name(other),
            uids::JPEG2000_LOSSLESS
        )),
    }
}

/// A transfer syntax in words, with its UID.
pub fn name(syntax: &str) -> String {
    match TransferSyntaxRegistry.get(syntax) {
        _ if syntax.is_empty() => "none stated (no file meta information)".into(),
        Some(known) => format!("{} ({syntax})", known.name()),
        None => syntax.chars().filter(|c| !c.is_control()).take(64).collect(),
    }
}

/// Whether a transfer syntax stores plain pixels instead of fragments of code.
///
/// # Errors
/// A transfer syntax that is not read.
pub fn is_native(syntax: &str) -> Result<bool, String> {
    Ok(kind(syntax)? == Kind::Native)
}

/// The kind of a frame's code by its first bytes, whatever its transfer syntax says; none of code that has no mark.
fn written(code: &[u8], syntax: &str) -> Option<Kind> {
    if codestream::unwrapped(code).is_some() {
        return Some(Kind::Jpeg2000);
    }
    if code.starts_with(&[0xff, 0xd8, 0xff]) {
        let is_ls = jpegls::start_of_frame(code).is_some();
        return Some(if is_ls { Kind::JpegLs } else { Kind::Jpeg });
    }
    let stated = kind(syntax).ok()?;
    let is_rle = matches!(code, [1..=15, 0, 0, 0, 64, 0, 0, 0, ..]);
    (is_rle && stated == Kind::Native).then_some(Kind::Rle)
}

/// Whether a frame's first bytes are not those of its transfer syntax.
pub fn is_otherwise(head: &[u8], syntax: &str) -> bool {
    let stated = kind(syntax).ok();
    written(head, syntax).is_some_and(|written| stated.is_some_and(|stated| stated != written))
}

/// Whether colours are undone twice: by the decoder, as the first bytes of a frame's code say, and because of the header.
pub fn is_undone_twice(head: &[u8], syntax: &str, header: Photometric) -> bool {
    is_ybr_full(header) && written(head, syntax) == Some(Kind::Jpeg2000) && codestream::transforms_colours(head)
}

/// The samples of one uncompressed frame.
///
/// # Errors
/// Samples that are not read.
pub fn unpack(bytes: Vec<u8>, coding: Coding, layout: &Layout) -> Result<Stored, String> {
    native::decode(bytes, layout, coding)
}

/// Decodes the code of one frame.
///
/// # Errors
/// A transfer syntax that is not read, code that is damaged, sizes that contradict the header.
pub fn decode(code: &[u8], syntax: &str, layout: &Layout) -> Result<Stored, String> {
    let stated = kind(syntax)?;
    match written(code, syntax).unwrap_or(stated) {
        Kind::Native => Err("has fragments of pixels where its transfer syntax has none".into()),
        Kind::Rle => rle::decode(code, layout),
        Kind::Jpeg => jpeg::decode(code, layout),
        Kind::JpegLs => jpegls::decode(code, layout),
        Kind::Jpeg2000 => jpeg2000::decode(code, layout),
    }
}

/// Which colours the header names.
fn header_colours(layout: &Layout) -> Colours {
    if is_ybr_full(layout.photometric) { Colours::YbrFull } else { Colours::Rgb }
}

fn is_ybr_full(photometric: Photometric) -> bool {
    matches!(photometric, Photometric::YbrFull | Photometric::YbrFull422)
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
