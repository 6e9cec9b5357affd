//! One image file: its header, and its pixels. The format is told from the content; the ending means nothing.

use super::content::{Content, FIRST, FORMATS};
use super::pixels::{self, Sample, Shape};
use super::tiff_bands::{self, Alpha};
use crate::jpeg::Start;
use crate::Image;
use image::{metadata::Orientation, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

/// What turns files into pixels; changes whenever the same file could give others.
pub const VERSION: &str = "image-folder 3, image 0.25.10, png 0.18.1, zune-jpeg 0.5.15, tiff 0.11.3, image-webp 0.2.4";

/// Pixels of the largest image that is accepted, where the user does not say.
pub const MAX_PIXELS: u64 = 100_000_000;

/// How files become images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Channels and depth of every image.
    pub shape: Shape,
    /// Whether the user asked for these channels; else a coloured image in a grey data set is an error.
    pub channels_are_asked: bool,
    /// Whether the user asked for this depth; else a 16-bit image in an 8-bit data set is an error.
    pub depth_is_asked: bool,
    /// Pixels of the largest image that is accepted.
    pub max_pixels: u64,
}

impl Form {
    /// These channels (1 or 3) and bits (8 or 16), whatever files have, and images of at most [`MAX_PIXELS`].
    pub fn new(channels: usize, bit_depth: u8) -> Self {
        let shape = Shape { channels, bit_depth };
        Self { shape, channels_are_asked: true, depth_is_asked: true, max_pixels: MAX_PIXELS }
    }
}

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The file's format.
    pub format: ImageFormat,
    /// Height and width as seen, that is after EXIF's rotation.
    pub size: (usize, usize),
    /// Channels, alpha among them.
    pub channels: usize,
    /// Bits of a channel value.
    pub bits: u8,
    /// EXIF's orientation, 1 to 8.
    pub orientation: u8,
}

type Outcome<T> = Result<T, String>;

/// Reads the header alone.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn header(path: &Path, max_pixels: u64) -> Outcome<Header> {
    caught(|| header_of(BufReader::with_capacity(1 << 16, open(path, max_pixels)?), max_pixels))
}

/// Reads the header of a file's bytes.
///
/// # Errors
/// Why it cannot be read.
pub fn header_bytes(bytes: &[u8], max_pixels: u64) -> Outcome<Header> {
    caught(|| header_of(Cursor::new(bytes), max_pixels))
}

fn header_of<'a>(reader: impl BufRead + Seek + 'a, max_pixels: u64) -> Outcome<Header> {
    let Opened { decoder, format, orientation, .. } = opened(reader, max_pixels)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let size = if orientation.to_exif() > 4 { (width, height) } else { (height, width) };
    let colour = decoder.color_type();
    let channels = usize::from(colour.channel_count());
    let bits = (colour.bits_per_pixel() / u16::from(colour.channel_count())) as u8;
    Ok(Header { format, size, channels, bits, orientation: orientation.to_exif() })
}

/// Reads the image in its form.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn read(path: &Path, form: &Form) -> Outcome<Image> {
    caught(|| read_bytes(contents(path, form.max_pixels)?, form))
}

/// Reads the image that a file's bytes hold, in its form.
///
/// # Errors
/// Why it cannot be read.
pub fn read_bytes(bytes: Vec<u8>, form: &Form) -> Outcome<Image> {
    caught(|| {
        let image = decode(bytes, form.max_pixels)?;
        let (height, width) = (image.height() as usize, image.width() as usize);
        let data = match &image {
            DynamicImage::ImageLuma8(pixels) => shaped(pixels.as_raw(), 1, form),
            DynamicImage::ImageLumaA8(pixels) => shaped(pixels.as_raw(), 2, form),
            DynamicImage::ImageRgb8(pixels) => shaped(pixels.as_raw(), 3, form),
            DynamicImage::ImageRgba8(pixels) => shaped(pixels.as_raw(), 4, form),
            DynamicImage::ImageLuma16(pixels) => shaped(pixels.as_raw(), 1, form),
            DynamicImage::ImageLumaA16(pixels) => shaped(pixels.as_raw(), 2, form),
            DynamicImage::ImageRgb16(pixels) => shaped(pixels.as_raw(), 3, form),
            DynamicImage::ImageRgba16(pixels) => shaped(pixels.as_raw(), 4, form),
            other => Err(format!("its pixels are {:?}, expected whole numbers of 8 or 16 bits", other.color())),
        }?;
        let Shape { channels, bit_depth } = form.shape;
        Ok(Image { channels, height, width, bit_depth, data })
    })
}

/// Whether the image has no colour, whatever its file could hold.
///
/// # Errors
/// Why it cannot be read, without the file's name.
pub fn is_grey(path: &Path, max_pixels: u64) -> Outcome<bool> {
    caught(|| is_grey_bytes(contents(path, max_pixels)?, max_pixels))
}

/// As [`is_grey`], of a file's bytes.
///
/// # Errors
/// Why they cannot be read.
pub fn is_grey_bytes(bytes: Vec<u8>, max_pixels: u64) -> Outcome<bool> {
    caught(|| {
        Ok(match decode(bytes, max_pixels)? {
            DynamicImage::ImageRgb8(pixels) => pixels::is_grey(pixels.as_raw(), 3),
            DynamicImage::ImageRgba8(pixels) => pixels::is_grey(pixels.as_raw(), 4),
            DynamicImage::ImageRgb16(pixels) => pixels::is_grey(pixels.as_raw(), 3),
            DynamicImage::ImageRgba16(pixels) => pixels::is_grey(pixels.as_raw(), 4),
            _ => true,
        })
    })
}

fn shaped<T: Sample>(samples: &[T], stored: usize, form: &Form) -> Outcome<Vec<u8>> {
    if form.shape.channels == 1 && !form.channels_are_asked && !pixels::is_grey(samples, stored) {
        return Err("it is coloured, but the data set's first images are grey; set dataset.options.channels to 3 to \
                    keep the colours or to 1 to make all images grey"
            .into());
    }
    if form.shape.bit_depth == 8 && !form.depth_is_asked && T::LARGEST > 255 {
        return Err(
            "it has 16 bits, but the data set's first images have 8; set dataset.options.bit_depth to 16 or 8".into()
        );
    }
    Ok(pixels::planar(samples, stored, form.shape))
}

fn contents(path: &Path, max_pixels: u64) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, max_pixels)?.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn decode(mut bytes: Vec<u8>, max_pixels: u64) -> Outcome<DynamicImage> {
    name_rgb(&mut bytes);
    let Opened { decoder, format, orientation, alpha } = opened(Cursor::new(bytes.as_slice()), max_pixels)?;
    if format == ImageFormat::Jpeg && !jpeg_is_complete(&bytes) {
        return Err("the JPEG file is truncated: its end marker is missing".into());
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    if alpha == Alpha::Associated {
        image = without_alpha(image);
    }
    image.apply_orientation(orientation);
    Ok(image)
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

/// The image over black, where its colours were multiplied by alpha already.
fn without_alpha(image: DynamicImage) -> DynamicImage {
    match image {
        DynamicImage::ImageRgba16(_) => image.into_rgb16().into(),
        _ => image.into_rgb8().into(),
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
    // Four channels of 16 bits, uncompressed, and a profile or a preview.
    let most = max_pixels.saturating_mul(8).saturating_add(1 << 24);
    match size {
        0 => Err("the file is empty".into()),
        size if size > most => Err(format!("the file has {size} bytes, more than an image of {max_pixels} pixels")),
        _ => Ok(file),
    }
}

/// A file whose header was read.
struct Opened<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    format: ImageFormat,
    orientation: Orientation,
    alpha: Alpha,
}

fn opened<'a, R: BufRead + Seek + 'a>(reader: R, max_pixels: u64) -> Outcome<Opened<'a>> {
    let mut reader = ImageReader::new(reader).with_guessed_format().map_err(|error| error.to_string())?;
    let Some(format) = reader.format().filter(|format| FORMATS.contains(format)) else {
        return Err(unread(reader.into_inner()));
    };
    let mut alpha = Alpha::Plain;
    if format == ImageFormat::Tiff {
        let mut file = reader.into_inner();
        alpha = tiff_bands::check(&mut file)?;
        file.rewind().map_err(|error| error.to_string())?;
        reader = ImageReader::with_format(file, format);
    }
    let mut limits = Limits::no_limits();
    // Four channels of 16 bits, twice for formats that are decoded into a buffer of their own first.
    limits.max_alloc = Some(max_pixels.saturating_mul(16).saturating_add(1 << 26));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(format!("its size is {width}×{height}"));
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(format!(
            "its {width}×{height} pixels are more than {max_pixels}; set dataset.options.max_pixels higher if the \
             image is right"
        ));
    }
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    Ok(Opened { decoder: Box::new(decoder), format, orientation, alpha })
}

/// Why a file of no format that is read is not read.
fn unread(mut reader: impl Read + Seek) -> String {
    let mut first = Vec::new();
    if let Err(error) = reader.rewind().and_then(|()| reader.take(FIRST).read_to_end(&mut first)) {
        return error.to_string();
    }
    match Content::of(&first) {
        Content::Dicom => "it is a DICOM file; dataset.name DicomFolder reads these".into(),
        Content::BigTiff => "it is a BigTIFF file, which is not read; save it as TIFF or PNG".into(),
        Content::Image | Content::Other => "it is no PNG, JPEG, TIFF, WebP or BMP file (told from its content)".into(),
    }
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
