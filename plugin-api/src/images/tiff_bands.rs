//! The bands of a TIFF file: what its pixels hold beside grey or colours.

use std::io::{Read, Seek};
use tiff::decoder::Decoder;
use tiff::tags::{ExtraSamples, PhotometricInterpretation, Tag};

/// What is known about alpha before a file is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpha {
    /// None, or colours as they are beside it.
    Plain,
    /// Colours that were multiplied by it.
    Associated,
}

/// Looks at the bands of the first image. A file whose header cannot be read is left to its decoder.
///
/// # Errors
/// Bands beside grey, colours and alpha, which the decoder would pass over.
pub fn check(file: impl Read + Seek) -> Result<Alpha, String> {
    let Ok(mut file) = Decoder::new(file) else { return Ok(Alpha::Plain) };
    let mut number = |tag| file.find_tag_unsigned::<u16>(tag).ok().flatten();
    let bands = number(Tag::SamplesPerPixel).unwrap_or(1);
    let photometric = number(Tag::PhotometricInterpretation).and_then(PhotometricInterpretation::from_u16);
    let extra = file.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten();
    let (own, name) = match photometric {
        Some(PhotometricInterpretation::RGB) => (3, "RGB"),
        Some(PhotometricInterpretation::YCbCr | PhotometricInterpretation::CIELab) => (3, "its colours"),
        Some(PhotometricInterpretation::CMYK) => (4, "CMYK"),
        _ => (1, "grey"),
    };
    let kind = |extra: &[u16]| extra.first().and_then(|&kind| ExtraSamples::from_u16(kind));
    match (bands.saturating_sub(own), own, extra.as_deref()) {
        (0, ..) => Ok(Alpha::Plain),
        // Writers that name no kind mean alpha.
        (1, 3, None) => Ok(Alpha::Plain),
        (1, 3, Some(extra)) if kind(extra) == Some(ExtraSamples::UnassociatedAlpha) => Ok(Alpha::Plain),
        (1, 3, Some(extra)) if kind(extra) == Some(ExtraSamples::AssociatedAlpha) => Ok(Alpha::Associated),
        (more, ..) => Err(format!(
            "the TIFF file has {bands} bands, {more} more than {name}; grey, RGB, and RGB with alpha are read: save it as \
             one of these"
        )),
    }
}
