//! Which elements of a DICOM file are read.

use crate::attributes::Attributes;
use crate::coding::Pixels;
use crate::guard::caught;
use crate::source::Source;
use crate::table::shown;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Whether an element holds an image's pixels, of whatever type.
fn is_pixels(tag: Tag) -> bool {
    [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA, tags::PIXEL_DATA].contains(&tag)
}

/// Whether a header's reader needs this element.
fn is_wanted(tag: Tag) -> bool {
    const OTHERS: [Tag; 10] = [
        tags::SPECIFIC_CHARACTER_SET,
        tags::SOP_CLASS_UID,
        tags::SOP_INSTANCE_UID,
        tags::MODALITY,
        tags::MANUFACTURER,
        tags::PATIENT_ID,
        tags::STUDY_INSTANCE_UID,
        tags::SERIES_INSTANCE_UID,
        tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
        tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
    ];
    tag.group() == 0x0028 || OTHERS.contains(&tag)
}

/// The elements of a file that its readers need, and the place of its pixels.
///
/// # Errors
/// As [`Source::elements`], and a panic of dicom-rs.
pub fn elements(source: &Source) -> Result<(InMemDicomObject, Option<Pixels>), String> {
    caught(|| source.elements(is_wanted, is_pixels))
}

/// What `selfsame data stats` counts, by name.
pub fn facts(elements: Attributes<'_>) -> Result<Vec<(&'static str, String)>, String> {
    let text = |tag| elements.text(tag).map(|text| text.map_or_else(|| "not stated".into(), |text| shown(&text)));
    let short = |tag| {
        let number = elements.short(tag)?;
        Ok::<_, String>(number.map_or_else(|| "not stated".into(), |number| number.to_string()))
    };
    let voi = match (elements.has(tags::VOILUT_SEQUENCE), elements.has(tags::WINDOW_CENTER)) {
        (true, _) => "lookup table",
        (false, true) => "window",
        (false, false) => "none in the file",
    };
    Ok(vec![
        ("photometric interpretation", text(tags::PHOTOMETRIC_INTERPRETATION)?),
        ("bits stored", short(tags::BITS_STORED)?),
        ("size", format!("{}×{}", short(tags::ROWS)?, short(tags::COLUMNS)?)),
        ("modality", text(tags::MODALITY)?),
        ("manufacturer", text(tags::MANUFACTURER)?),
        ("value of interest", voi.into()),
    ])
}
