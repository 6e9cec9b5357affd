//! TIFF files: what their pixels hold beside grey and colours, and such pixels.

use super::form::Pages;
use super::orientation::Orientation;
use super::pixels::Alpha;
use super::raw::Raw;
use super::values::{Kind, Values};
use super::{tiff_pages, tiff_tiles};
use std::io::{Cursor, Read, Seek};
use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use tiff::tags::{ExtraSamples, PhotometricInterpretation as Photometric, PlanarConfiguration, SampleFormat, Tag};

type Outcome<T> = Result<T, String>;

/// Bytes of an entry of a directory.
const ENTRY: usize = 12;

/// What a file says about its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Pixels of any number of channels; none where it is a picture, of grey or colours, with or without alpha, of unsigned
    /// integers, which has a decoder of its own.
    pub bands: Option<Bands>,
    /// Whether the last number of a pixel is alpha.
    pub alpha: Alpha,
    /// Pages of the first one's size, where they were counted; else 1.
    pub pages: usize,
    /// What its pixels are, for people.
    pub described: Described,
}

/// What a file says of its pixels, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    photometric: Option<Photometric>,
    bits: u16,
    stored: u16,
}

impl Described {
    /// Why such pixels are not read, and what to do.
    pub fn refused(self, why: &str) -> String {
        let Self { photometric, bits, stored } = self;
        let photometric = photometric.map_or("unknown".to_owned(), |photometric| format!("{photometric:?}"));
        let s = if stored == 1 { "" } else { "s" };
        format!(
            "the TIFF file's pixels are {photometric}, {stored} channel{s} of {bits} bits, which is not read: save it as grey or \
             RGB of 8 or 16 bits ({why})"
        )
    }
}

/// Pixels of any number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands {
    /// Of their numbers.
    pub kind: Kind,
    /// Channels, height and width in the file.
    pub shape: [usize; 3],
    /// How it is seen.
    pub orientation: Orientation,
    /// Whether each channel is a page.
    in_pages: bool,
}

/// Looks at a file. One whose header cannot be read is left to the decoder of pictures. Pages are counted where they are channels,
/// or where `counts_pages` asks for it: that reads the directory of each.
///
/// # Errors
/// Pixels that are not read, by name.
pub fn look(mut file: impl Read + Seek, pages: Pages, counts_pages: bool) -> Outcome<Look> {
    let of_one_size = if counts_pages || pages == Pages::Channels { tiff_pages::count(&mut file) } else { 1 };
    file.rewind().map_err(|error| error.to_string())?;
    let Ok(mut file) = Decoder::new(file) else {
        let described = Described { photometric: None, bits: 1, stored: 1 };
        return Ok(Look { bands: None, alpha: Alpha::None, pages: 1, described });
    };
    let mut number = |tag| file.find_tag_unsigned::<u16>(tag).ok().flatten();
    let stored = number(Tag::SamplesPerPixel).unwrap_or(1);
    let photometric = number(Tag::PhotometricInterpretation).and_then(Photometric::from_u16);
    let orientation = Orientation::new(number(Tag::Orientation).unwrap_or(1).into());
    let is_planar = number(Tag::PlanarConfiguration) == Some(PlanarConfiguration::Planar.to_u16());
    let is_tiled = number(Tag::TileWidth).is_some();
    let mut first = |tag| file.find_tag_unsigned_vec::<u16>(tag).ok().flatten().and_then(|of| of.first().copied());
    let bits = first(Tag::BitsPerSample).unwrap_or(1);
    let format = first(Tag::SampleFormat).unwrap_or(1);
    let extra = first(Tag::ExtraSamples);
    let (own, name) = match photometric {
        Some(Photometric::RGB) => (3, "RGB"),
        Some(Photometric::YCbCr | Photometric::CIELab) => (3, "its colours"),
        Some(Photometric::CMYK) => (4, "CMYK"),
        _ => (1, "grey"),
    };
    let more = stored.saturating_sub(own);
    let alpha = match (more, extra.map(ExtraSamples::from_u16)) {
        (1, Some(Some(ExtraSamples::UnassociatedAlpha))) => Alpha::Straight,
        (1, Some(Some(ExtraSamples::AssociatedAlpha))) => Alpha::Multiplied,
        // Writers of colours that name no kind mean alpha.
        (1, None) if own == 3 => Alpha::Straight,
        _ => Alpha::None,
    };
    let (width, height) = file.dimensions().map_err(|error| error.to_string())?;
    let in_tiles = stored > 1 && is_planar && is_tiled;
    let are_channels = pages == Pages::Channels && of_one_size > 1;
    let is_whole =
        matches!(SampleFormat::from_u16(format), Some(SampleFormat::Uint | SampleFormat::Void)) && bits <= 16;
    let has_usual_channels = more == 0 || (own == 3 && alpha != Alpha::None);
    let described = Described { photometric, bits, stored };
    if is_whole && has_usual_channels && !are_channels && !in_tiles {
        return Ok(Look { bands: None, alpha, pages: of_one_size, described });
    }
    let refused = |what: &str| Err(format!("the TIFF file has {stored} channels, {more} more than {name}, {what}"));
    match photometric {
        Some(Photometric::BlackIsZero | Photometric::RGB) => {}
        _ if in_tiles && more == 0 => return Err(described.refused("its channels lie in tiles of their own")),
        Some(Photometric::WhiteIsZero) => {
            return refused("and white is zero, which is not read: save it with black as zero")
        }
        _ => return refused("which is not read: save it as grey or RGB with further channels"),
    }
    if are_channels && stored > 1 {
        return refused("on each page; pages of one channel make one image (dataset.options.pages)");
    }
    let kind = kind(format, bits)?;
    let channels = if are_channels { of_one_size } else { stored.into() };
    let alpha = if are_channels { Alpha::None } else { alpha };
    let shape = [channels, height as usize, width as usize];
    let bands = Some(Bands { kind, shape, orientation, in_pages: are_channels });
    Ok(Look { bands, alpha, pages: of_one_size, described })
}

fn kind(format: u16, bits: u16) -> Outcome<Kind> {
    Ok(match (SampleFormat::from_u16(format), bits) {
        (Some(SampleFormat::Uint | SampleFormat::Void), 8) => Kind::U8,
        (Some(SampleFormat::Uint | SampleFormat::Void), 16) => Kind::U16,
        (Some(SampleFormat::Uint | SampleFormat::Void), 32) => Kind::U32,
        (Some(SampleFormat::Int), 8) => Kind::I8,
        (Some(SampleFormat::Int), 16) => Kind::I16,
        (Some(SampleFormat::Int), 32) => Kind::I32,
        (Some(SampleFormat::IEEEFP), 16 | 32) => Kind::F32,
        (Some(SampleFormat::IEEEFP), 64) => Kind::F64,
        (format, bits) => {
            let format = format.map_or("unknown numbers".to_owned(), |format| format!("{format:?}"));
            return Err(format!(
                "the TIFF file's values are {format} of {bits} bits, expected integers of 8, 16 or 32 bits, float16, float32 or \
                 float64"
            ));
        }
    })
}

/// Whether the current page is neither a reduced copy nor a mask (TIFF 6.0, NewSubfileType) and has this size.
fn is_of_the_stack<R: Read + Seek>(file: &mut Decoder<R>, size: (u32, u32)) -> bool {
    let kind = file.find_tag_unsigned::<u32>(Tag::NewSubfileType).ok().flatten().unwrap_or(0);
    kind & 5 == 0 && file.dimensions().is_ok_and(|own| own == size)
}

/// Reads the pixels that [`look`] has found, which take at most `most` bytes.
///
/// # Errors
/// Why they cannot be read.
pub fn read(mut bytes: Vec<u8>, bands: &Bands, alpha: Alpha, most: u64) -> Outcome<Raw> {
    let [channels, height, width] = bands.shape;
    call_grey(&mut bytes);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = usize::try_from(most).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    if bands.in_pages {
        // Lists of strips or of tiles of 16 pixels; longer ones are read once a page.
        limits.ifd_value_size = limits.ifd_value_size.min((8 * height).max(height * width / 32).max(1 << 12));
    }
    let about = |error: tiff::TiffError| error.to_string();
    let mut file = Decoder::new(Cursor::new(bytes)).map_err(about)?.with_limits(limits);
    let raw = if bands.in_pages {
        let mut planes = page(&mut file)?;
        let mut taken = 1;
        while taken < channels {
            file.next_image().map_err(about)?;
            if is_of_the_stack(&mut file, (width as u32, height as u32)) {
                taken += 1;
                if !planes.append(page(&mut file)?) {
                    return Err(format!("page {taken} of the TIFF file has other values than the first one"));
                }
            }
        }
        of_planes(&planes, alpha, bands.shape)?
    } else {
        let planar = file.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).ok().flatten();
        let is_planar = planar.and_then(PlanarConfiguration::from_u16) == Some(PlanarConfiguration::Planar);
        let values = match is_planar && channels > 1 && file.get_chunk_type() == ChunkType::Tile {
            true => tiff_tiles::read(&mut file, bands.kind, bands.shape)?,
            false => page(&mut file)?,
        };
        match is_planar {
            true => of_planes(&values, alpha, bands.shape)?,
            _ if values.len() == channels * height * width => Raw { values, stored: channels, alpha, height, width },
            _ => return Err(incomplete(&values, bands.shape)),
        }
    };
    Ok(raw.turned(bands.orientation))
}

fn of_planes(values: &Values, alpha: Alpha, shape: [usize; 3]) -> Outcome<Raw> {
    match values.len() == shape.iter().product::<usize>() {
        true => Ok(Raw::from_planes(values, alpha, shape)),
        false => Err(incomplete(values, shape)),
    }
}

fn incomplete(values: &Values, [channels, height, width]: [usize; 3]) -> String {
    let found = values.len();
    format!("the TIFF file gives {found} values, expected {channels} channels of {width}×{height} pixels")
}

/// All values of the current page.
fn page<R: Read + Seek>(file: &mut Decoder<R>) -> Outcome<Values> {
    let mut result = DecodingResult::U8(Vec::new());
    file.read_image_to_buffer(&mut result).map_err(|error| error.to_string())?;
    values(result)
}

/// What was decoded, with float16 widened.
///
/// # Errors
/// Values that are not read.
pub fn values(decoded: DecodingResult) -> Outcome<Values> {
    Ok(match decoded {
        DecodingResult::U8(values) => Values::U8(values),
        DecodingResult::U16(values) => Values::U16(values),
        DecodingResult::U32(values) => Values::U32(values),
        DecodingResult::I8(values) => Values::I8(values),
        DecodingResult::I16(values) => Values::I16(values),
        DecodingResult::I32(values) => Values::I32(values),
        DecodingResult::F16(values) => Values::F32(values.into_iter().map(f32::from).collect()),
        DecodingResult::F32(values) => Values::F32(values),
        DecodingResult::F64(values) => Values::F64(values),
        _ => return Err("the TIFF file has values of a kind that is not read".into()),
    })
}

/// Says in the first directory that the channels are grey ones: of colours, the decoder would keep three.
fn call_grey(bytes: &mut [u8]) {
    let is_big = bytes.starts_with(b"MM");
    let number = |bytes: &[u8], at: usize, length: usize| -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Some(if is_big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    };
    let Some(directory) = number(bytes, 4, 4) else { return };
    let Some(entries) = number(bytes, directory, 2) else { return };
    for entry in (0..entries).map(|entry| directory + 2 + ENTRY * entry) {
        if number(bytes, entry, 2) == Some(Tag::PhotometricInterpretation.to_u16().into()) {
            let long = number(bytes, entry + 2, 2) == Some(4);
            let last = if is_big { entry + if long { 11 } else { 9 } } else { entry + 8 };
            if number(bytes, entry + 8, 4).is_some() {
                bytes[last] = Photometric::BlackIsZero.to_u16() as u8;
            }
            return;
        }
    }
}
