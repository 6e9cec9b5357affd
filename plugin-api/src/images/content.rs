//! What a file is, by its first bytes.

use image::ImageFormat;

/// Formats of pictures that are read.
pub const FORMATS: [ImageFormat; 5] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Bmp];

/// How many first bytes tell it.
pub const FIRST: u64 = 132;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An image of [`FORMATS`].
    Image,
    /// An array of NumPy, or an archive of such.
    Array,
    /// DICOM with its preamble (PS3.10 §7.1).
    Dicom,
    /// TIFF with 64-bit offsets.
    BigTiff,
    /// Anything else.
    Other,
}

impl Content {
    /// From the first [`FIRST`] bytes, or all of a shorter file.
    pub fn of(first: &[u8]) -> Self {
        match image::guess_format(first) {
            // Two letters say too little; a text may begin with them.
            Ok(ImageFormat::Bmp) if has_bmp_header(first) => Self::Image,
            Ok(format) if format != ImageFormat::Bmp && FORMATS.contains(&format) => Self::Image,
            _ if first.starts_with(b"\x93NUMPY") || is_npz(first) => Self::Array,
            _ if first.get(128..132) == Some(b"DICM") => Self::Dicom,
            _ if first.starts_with(b"II+\0") || first.starts_with(b"MM\0+") => Self::BigTiff,
            _ => Self::Other,
        }
    }
}

/// Whether a zip archive begins with an array of NumPy (APPNOTE 6.3.10, §4.3.7: the name's length at 26, the name at 30).
fn is_npz(first: &[u8]) -> bool {
    let length = first.get(26..28).map_or(0, |length| usize::from(u16::from_le_bytes([length[0], length[1]])));
    first.starts_with(b"PK\x03\x04") && first.get(30..30 + length).is_some_and(|name| name.ends_with(b".npy"))
}

/// Whether the header behind BMP's file header has the size of one of its versions.
fn has_bmp_header(first: &[u8]) -> bool {
    let size = first.get(14..18).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    size.is_some_and(|size| [12, 40, 52, 56, 108, 124].contains(&size))
}
