//! Who and what a DICOM file is.

use crate::attributes::Attributes;
use crate::codec;
use crate::coding::Pixels;
use crate::frame::Fragments;
use crate::guard::caught;
use crate::header;
use crate::layout::{Layout, frames};
use crate::length;
use crate::source::{Elements, Source};
use dicom_dictionary_std::tags;

/// Who and what a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub patient: Option<String>,
    pub study: Option<String>,
    pub series: Option<String>,
    pub instance: Option<String>,
    pub has_pixels: bool,
    pub frames: u32,
    /// In words, pixels that are not read because the header does not speak of them.
    pub surplus: Option<String>,
    /// Whether something is not written as its transfer syntax says.
    pub is_otherwise: bool,
    /// A character set that is not known.
    pub unknown_characters: Option<String>,
    /// Whether it says that it is to be inverted, and that it is not.
    pub is_inverse: bool,
    /// Whether its colours are undone twice: by a decoder of JPEG 2000, and because of the header.
    pub is_undone_twice: bool,
}

impl Identity {
    /// Of a file; none when nothing in its elements is DICOM's.
    ///
    /// # Errors
    /// A header that is damaged, or beyond the bounds.
    pub fn of(source: &Source) -> Result<Option<Self>, String> {
        let elements = header::elements(source)?;
        caught(|| Self::read(source, elements))
    }

    fn read(source: &Source, elements: Elements) -> Result<Option<Self>, String> {
        let Elements { object, pixels, is_mixed, unknown_characters } = elements;
        let elements = Attributes::new(&object, source.coding.explicit);
        if !elements.has(tags::SOP_CLASS_UID) && !elements.has(tags::ROWS) {
            return Ok(None);
        }
        let frames = if pixels.is_some() { frames(elements)? } else { 0 };
        // What is wrong with the pixels is said when they are read.
        let found = pixels.map(|pixels| found(source, elements, pixels, frames)).unwrap_or_default();
        Ok(Some(Self {
            patient: elements.text(tags::PATIENT_ID)?,
            study: elements.text(tags::STUDY_INSTANCE_UID)?,
            series: elements.text(tags::SERIES_INSTANCE_UID)?,
            instance: elements.text(tags::SOP_INSTANCE_UID)?,
            has_pixels: pixels.is_some(),
            frames,
            surplus: found.surplus,
            is_otherwise: source.is_otherwise || is_mixed || found.is_otherwise,
            unknown_characters,
            is_inverse: is_inverse(elements),
            is_undone_twice: found.is_undone_twice,
        }))
    }
}

/// Whether the shape is that of MONOCHROME1, and the image is MONOCHROME2 (PS3.3 §C.8.11.3). Neither is wrong enough to stop
/// anybody.
fn is_inverse(elements: Attributes<'_>) -> bool {
    let is = |tag, name: &str| elements.text(tag).is_ok_and(|text| text.is_some_and(|text| text == name));
    is(tags::PRESENTATION_LUT_SHAPE, "INVERSE") && is(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
}

/// What the pixels' place and length say.
#[derive(Default)]
struct Contradictions {
    surplus: Option<String>,
    is_otherwise: bool,
    is_undone_twice: bool,
}

fn found(source: &Source, elements: Attributes<'_>, pixels: Pixels, frames: u32) -> Contradictions {
    let is_native = codec::is_native(&source.syntax);
    let layout = Layout::read(elements).ok();
    let Some(length) = pixels.length else {
        let Ok(fragments) = Fragments::find(source, pixels) else { return Contradictions::default() };
        let images = fragments.images();
        let surplus = (images > frames as usize).then(|| format!("{images} compressed frames, {frames} by its header"));
        let head = fragments.head(source).unwrap_or_default();
        let is_otherwise = codec::is_otherwise(&head, &source.syntax);
        let header = layout.map(|layout| layout.photometric);
        let is_undone_twice = header.is_some_and(|header| codec::is_undone_twice(&head, &source.syntax, header));
        return Contradictions { surplus, is_otherwise, is_undone_twice };
    };
    Contradictions {
        is_undone_twice: false,
        surplus: layout.and_then(|layout| length::surplus(&layout, length)),
        is_otherwise: is_native == Ok(false),
    }
}
