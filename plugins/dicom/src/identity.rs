//! Who and what a DICOM file is.

use crate::attributes::Attributes;
use crate::coding::Pixels;
use crate::guard::caught;
use crate::header;
use crate::layout::{Layout, frames};
use crate::length;
use crate::source::Source;
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
}

impl Identity {
    /// Of a file; none when nothing in its elements is DICOM's.
    ///
    /// # Errors
    /// A header that is damaged, or beyond the bounds.
    pub fn of(source: &Source) -> Result<Option<Self>, String> {
        let (object, pixels) = header::elements(source)?;
        caught(|| Self::read(Attributes::new(&object, source.coding.explicit), pixels))
    }

    /// From the elements of a file.
    fn read(elements: Attributes<'_>, pixels: Option<Pixels>) -> Result<Option<Self>, String> {
        if !elements.has(tags::SOP_CLASS_UID) && !elements.has(tags::ROWS) {
            return Ok(None);
        }
        let has_pixels = pixels.is_some();
        let frames = if has_pixels { frames(elements)? } else { 0 };
        Ok(Some(Self {
            patient: elements.text(tags::PATIENT_ID)?,
            study: elements.text(tags::STUDY_INSTANCE_UID)?,
            series: elements.text(tags::SERIES_INSTANCE_UID)?,
            instance: elements.text(tags::SOP_INSTANCE_UID)?,
            has_pixels,
            frames,
            surplus: pixels.and_then(|pixels| surplus(elements, pixels)),
        }))
    }
}

fn surplus(elements: Attributes<'_>, pixels: Pixels) -> Option<String> {
    // A header that cannot be read is named when the pixels are.
    let layout = Layout::read(elements).ok()?;
    length::surplus(&layout, pixels.length?)
}
