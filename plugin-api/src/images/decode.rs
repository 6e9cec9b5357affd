//! One image file: its header, and its pixels. The format is told from the content; the ending means nothing.

use super::content::{Content, FIRST, FORMATS};
use super::form::{Form, Layout};
use super::numpy_image;
use super::orientation::Orientation;
use super::pixels::Alpha;
use super::raw::Raw;
use super::tiff_file::{self, Bands, Look};
use super::values::{Kind, Values};
use crate::jpeg::Start;
use crate::Image;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

/// What turns files into pixels; changes whenever the same file could give others.
pub const VERSION: &str = "image-folder 4, image 0.25.10, png 0.18.1, zune-jpeg 0.5.15, tiff 0.11.3, image-webp 0.2.4";

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The file's format, in a word.
    pub format: String,
    /// Height and width as seen, that is after EXIF's rotation.
    pub size: (usize, usize),
    /// Channels, alpha among them.
    pub channels: usize,
    /// Whether the last channel is alpha.
    pub alpha: Alpha,
    /// What its numbers are.
    pub kind: Kind,
    /// EXIF's orientation, 1 to 8.
    pub orientation: u8,
    /// Pages of the first one's size, of which the others than the first are not looked at unless they are channels.
    pub pages: usize,
}

impl Header {
    /// Bits of a channel value.
    pub fn bits(&self) -> u8 {
        self.kind.bits()
    }

    /// Channels without alpha.
    pub fn colours(&self) -> usize {
        self.channels - usize::from(self.alpha.is_stored())
    }
}

type Outcome<T> = Result<T, String>;

/// Reads the header alone. Channels and depth of the form do not matter.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn header(path: &Path, form: &Form) -> Outcome<Header> {
    caught(|| header_of(BufReader::with_capacity(1 << 16, open(path, form.max_pixels)?), form))
}

/// Reads the header of a file's bytes.
///
/// # Errors
/// Why it cannot be read.
pub fn header_bytes(bytes: &[u8], form: &Form) -> Outcome<Header> {
    caught(|| header_of(Cursor::new(bytes), form))
}

fn header_of(reader: impl BufRead + Seek, form: &Form) -> Outcome<Header> {
    Ok(match opened(reader, form, true)? {
        Opened::Picture { decoder, format, orientation, alpha, pages } => {
            let (width, height) = decoder.dimensions();
            let size = orientation.seen((height as usize, width as usize));
            let colour = decoder.color_type();
            let channels = usize::from(colour.channel_count());
            let kind = match colour.bits_per_pixel() / u16::from(colour.channel_count()) {
                8 => Kind::U8,
                16 => Kind::U16,
                _ => Kind::F32,
            };
            let alpha = match alpha {
                _ if !colour.has_alpha() => Alpha::None,
                Alpha::None => Alpha::Straight,
                known => known,
            };
            Header {
                format: format!("{format:?}"),
                size,
                channels,
                alpha,
                kind,
                orientation: orientation.number(),
                pages,
            }
        }
        Opened::Bands { bands: Bands { kind, shape: [channels, height, width], orientation, .. }, alpha, pages } => {
            let (format, size) = ("Tiff".to_owned(), orientation.seen((height, width)));
            Header { format, size, channels, alpha, kind, orientation: orientation.number(), pages }
        }
        Opened::Array(numpy_image::Form { kind, shape: [channels, height, width], .. }) => Header {
            format: "NumPy".to_owned(),
            size: (height, width),
            channels,
            alpha: Alpha::None,
            kind,
            orientation: Orientation::UPRIGHT.number(),
            pages: 1,
        },
    })
}

/// Reads the image in its form.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn read(path: &Path, form: &Form) -> Outcome<Image> {
    caught(|| decode(contents(path, form.max_pixels)?, form)?.image(form))
}

/// Reads the image that a file's bytes hold, in its form.
///
/// # Errors
/// Why it cannot be read.
pub fn read_bytes(bytes: Vec<u8>, form: &Form) -> Outcome<Image> {
    caught(|| decode(bytes, form)?.image(form))
}

/// Whether the image has no colour, whatever its file could hold. Channels and depth of the form do not matter.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn is_grey(path: &Path, form: &Form) -> Outcome<bool> {
    caught(|| Ok(decode(contents(path, form.max_pixels)?, form)?.is_grey()))
}

/// The lowest and the highest number in the file; none where one is not finite. Channels and depth of the form do not matter.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn extent(path: &Path, form: &Form) -> Outcome<Option<(f64, f64)>> {
    extent_bytes(contents(path, form.max_pixels)?, form)
}

/// As [`extent`], of a file's bytes.
///
/// # Errors
/// Why they cannot be read.
pub fn extent_bytes(bytes: Vec<u8>, form: &Form) -> Outcome<Option<(f64, f64)>> {
    caught(|| Ok(decode(bytes, form)?.values.extent()))
}

/// Whether all pixels in the file are equal, whatever the form makes of them.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn is_flat(path: &Path, form: &Form) -> Outcome<bool> {
    is_flat_bytes(contents(path, form.max_pixels)?, form)
}

/// As [`is_flat`], of a file's bytes.
///
/// # Errors
/// Why they cannot be read.
pub fn is_flat_bytes(bytes: Vec<u8>, form: &Form) -> Outcome<bool> {
    caught(|| Ok(decode(bytes, form)?.is_flat()))
}

/// As [`is_grey`], of a file's bytes.
///
/// # Errors
/// Why they cannot be read.
pub fn is_grey_bytes(bytes: Vec<u8>, form: &Form) -> Outcome<bool> {
    caught(|| Ok(decode(bytes, form)?.is_grey()))
}

fn contents(path: &Path, max_pixels: u64) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, max_pixels)?.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn decode(mut bytes: Vec<u8>, form: &Form) -> Outcome<Raw> {
    name_rgb(&mut bytes);
    let most = most_bytes(form.max_pixels);
    let (bands, alpha) = match opened(Cursor::new(bytes.as_slice()), form, false)? {
        Opened::Picture { decoder, format, orientation, alpha, .. } => {
            if format == ImageFormat::Jpeg && !jpeg_is_complete(&bytes) {
                return Err("the JPEG file is truncated: its end marker is missing".into());
            }
            let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
            if let Some(orientation) = image::metadata::Orientation::from_exif(orientation.number()) {
                image.apply_orientation(orientation);
            }
            return picture(image, alpha);
        }
        Opened::Array(_) => return numpy_image::read(&bytes, form.layout, most),
        Opened::Bands { bands, alpha, .. } => (bands, alpha),
    };
    tiff_file::read(bytes, &bands, alpha, most)
}

fn picture(image: DynamicImage, alpha: Alpha) -> Outcome<Raw> {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let with_alpha = if alpha == Alpha::None { Alpha::Straight } else { alpha };
    let (values, stored, alpha) = match image {
        DynamicImage::ImageLuma8(pixels) => (Values::U8(pixels.into_raw()), 1, Alpha::None),
        DynamicImage::ImageLumaA8(pixels) => (Values::U8(pixels.into_raw()), 2, with_alpha),
        DynamicImage::ImageRgb8(pixels) => (Values::U8(pixels.into_raw()), 3, Alpha::None),
        DynamicImage::ImageRgba8(pixels) => (Values::U8(pixels.into_raw()), 4, with_alpha),
        DynamicImage::ImageLuma16(pixels) => (Values::U16(pixels.into_raw()), 1, Alpha::None),
        DynamicImage::ImageLumaA16(pixels) => (Values::U16(pixels.into_raw()), 2, with_alpha),
        DynamicImage::ImageRgb16(pixels) => (Values::U16(pixels.into_raw()), 3, Alpha::None),
        DynamicImage::ImageRgba16(pixels) => (Values::U16(pixels.into_raw()), 4, with_alpha),
        other => return Err(format!("its pixels are {:?}, expected whole numbers of 8 or 16 bits", other.color())),
    };
    Ok(Raw { values, stored, alpha, height, width })
}

/// Says with an Adobe segment what a JPEG image's components are called, where the decoder does not know these names.
fn name_rgb(bytes: &mut Vec<u8>) {
    const ADOBE_RGB: [u8; 16] = *b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0";
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return;
    }
    if let Some(start) = Start::read(bytes).filter(|start| start.ids == *b"rgb") {
        bytes.splice(start.frame..start.frame, ADOBE_RGB);
    }
}

/// Whether the image ends with its own end marker; the decoder would fill the rest of a truncated one with grey.
///
/// Segments are passed over by their lengths, as thumbnails have end markers too, and scans up to the next marker. What
/// follows the end, such as a phone's film, is not looked at. (ITU-T T.81, B.1.1)
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == 0xFF) {
        rest = &rest[at + 1..];
        match rest.first() {
            Some(0xD9) => return true,
            // A byte 255 of a scan, fill, and markers that stand alone: TEM, RST and SOI.
            Some(0x00 | 0x01 | 0xD0..=0xD8 | 0xFF) => {}
            _ => {
                let length = rest.get(1..3).map_or(0, |length| usize::from(u16::from_be_bytes([length[0], length[1]])));
                rest = rest.get(1 + length..).unwrap_or_default();
            }
        }
    }
    false
}

/// Opens a file whose size is possible for an image of at most `max_pixels`.
fn open(path: &Path, max_pixels: u64) -> Outcome<File> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    // A profile or a preview may come on top.
    let most = most_bytes(max_pixels).saturating_add(1 << 24);
    match size {
        0 => Err("the file is empty".into()),
        size if size > most => Err(format!("the file has {size} bytes, more than an image of {max_pixels} pixels")),
        _ => Ok(file),
    }
}

/// What the values of an image may take: four channels of 16 bits, or others of that size.
fn most_bytes(max_pixels: u64) -> u64 {
    max_pixels.saturating_mul(8)
}

/// A file whose header was read.
enum Opened<'a> {
    Picture {
        decoder: Box<dyn ImageDecoder + 'a>,
        format: ImageFormat,
        orientation: Orientation,
        alpha: Alpha,
        pages: usize,
    },
    Bands {
        bands: Bands,
        alpha: Alpha,
        pages: usize,
    },
    Array(numpy_image::Form),
}

fn opened<'a>(reader: impl BufRead + Seek + 'a, form: &Form, counts_pages: bool) -> Outcome<Opened<'a>> {
    let max_pixels = form.max_pixels;
    let mut reader = ImageReader::new(reader).with_guessed_format().map_err(|error| error.to_string())?;
    let Some(format) = reader.format().filter(|format| FORMATS.contains(format)) else {
        return unknown(reader.into_inner(), max_pixels, form.layout);
    };
    let (mut alpha, mut pages, mut described) = (Alpha::None, 1, None);
    if format == ImageFormat::Tiff {
        let mut file = reader.into_inner();
        let found = tiff_file::look(&mut file, form.pages, counts_pages)?;
        (alpha, pages, described) = (found.alpha, found.pages, Some(found.described));
        if let Look { bands: Some(bands), .. } = found {
            let [channels, height, width] = bands.shape;
            check_size(height as u64, width as u64, max_pixels)?;
            check_values([channels, height, width], bands.kind, max_pixels)?;
            return Ok(Opened::Bands { bands, alpha, pages });
        }
        file.rewind().map_err(|error| error.to_string())?;
        reader = ImageReader::with_format(file, format);
    }
    let mut limits = Limits::no_limits();
    // Twice for formats that are decoded into a buffer of their own first.
    limits.max_alloc = Some(most_bytes(max_pixels).saturating_mul(2).saturating_add(1 << 26));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| match described {
        Some(described) if matches!(error, ImageError::Unsupported(_)) => described.refused(&error.to_string()),
        _ => error.to_string(),
    })?;
    let (width, height) = decoder.dimensions();
    check_size(height.into(), width.into(), max_pixels)?;
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    let orientation = Orientation::new(orientation.to_exif().into());
    Ok(Opened::Picture { decoder: Box::new(decoder), format, orientation, alpha, pages })
}

fn check_size(height: u64, width: u64, max_pixels: u64) -> Outcome<()> {
    match width.checked_mul(height) {
        Some(0) => Err(format!("its size is {width}×{height}")),
        Some(pixels) if pixels <= max_pixels => Ok(()),
        _ => Err(format!(
            "its {width}×{height} pixels are more than {max_pixels}; set dataset.options.max_pixels higher if the image is \
             right"
        )),
    }
}

fn check_values(shape: [usize; 3], kind: Kind, max_pixels: u64) -> Outcome<()> {
    let size = u64::from(kind.bits() / 8);
    let bytes = shape.iter().try_fold(size, |product, length| product.checked_mul(*length as u64));
    match bytes.filter(|bytes| *bytes <= most_bytes(max_pixels)) {
        Some(_) => Ok(()),
        None => Err(format!(
            "its {} channels of {}×{} pixels, {}, take more than eight bytes for each of {max_pixels} pixels; set \
             dataset.options.max_pixels higher if the image is right",
            shape[0],
            shape[2],
            shape[1],
            kind.name()
        )),
    }
}

/// An array, or why a file of no format that is read is not read.
fn unknown<'a>(mut reader: impl Read + Seek, max_pixels: u64, layout: Layout) -> Outcome<Opened<'a>> {
    let mut first = Vec::new();
    let read = reader.rewind().and_then(|()| (&mut reader).take(FIRST).read_to_end(&mut first));
    read.and_then(|_| reader.rewind()).map_err(|error| error.to_string())?;
    Err(match Content::of(&first) {
        Content::Array => {
            let found = numpy_image::header(reader, layout)?;
            check_size(found.shape[1] as u64, found.shape[2] as u64, max_pixels)?;
            check_values(found.shape, found.kind, max_pixels)?;
            return Ok(Opened::Array(found));
        }
        Content::Dicom => "it is a DICOM file; dataset.name DicomFolder reads these".into(),
        Content::BigTiff => "it is a BigTIFF file, which is not read; save it as TIFF or PNG".into(),
        Content::Image | Content::Other => {
            "it is no PNG, JPEG, TIFF, WebP, BMP or NumPy file (told from its content)".into()
        }
    })
}

/// A decoder's panic as an error, so that it can be told which file caused it.
fn caught<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
        let message = format!("the decoder panicked: {}", text.unwrap_or("no message"));
        // A payload whose destructor panics would unwind again.
        std::mem::forget(payload);
        Err(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_the_decoders_that_are_built_in() {
        let lock = include_str!("../../../Cargo.lock");
        for part in VERSION.split(", ").skip(1) {
            let (name, version) = part.split_once(' ').unwrap();
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"");
            assert!(lock.contains(&entry), "{name} is not {version} any more: correct VERSION");
        }
    }
}
