//! Which elements of a DICOM file are read.

use crate::attributes::Attributes;
use crate::guard::caught;
use crate::source::{Elements, Source};
use crate::table::shown;
use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Whether an element holds an image's pixels, of whatever type.
fn is_pixels(tag: Tag) -> bool {
    [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA, tags::PIXEL_DATA].contains(&tag)
}

/// Whether a header's reader needs this element, in the data set or in an item. A strange value of any other stops nobody.
fn is_wanted(tag: Tag) -> bool {
    const WANTED: [Tag; 41] = [
        tags::SPECIFIC_CHARACTER_SET,
        tags::SOP_CLASS_UID,
        tags::SOP_INSTANCE_UID,
        tags::MODALITY,
        tags::MANUFACTURER,
        tags::PATIENT_ID,
        tags::STUDY_INSTANCE_UID,
        tags::SERIES_INSTANCE_UID,
        tags::SAMPLES_PER_PIXEL,
        tags::PHOTOMETRIC_INTERPRETATION,
        tags::PLANAR_CONFIGURATION,
        tags::NUMBER_OF_FRAMES,
        tags::ROWS,
        tags::COLUMNS,
        tags::BITS_ALLOCATED,
        tags::BITS_STORED,
        tags::HIGH_BIT,
        tags::PIXEL_REPRESENTATION,
        tags::PIXEL_PADDING_VALUE,
        tags::PIXEL_PADDING_RANGE_LIMIT,
        tags::WINDOW_CENTER,
        tags::WINDOW_WIDTH,
        tags::VOILUT_FUNCTION,
        tags::PRESENTATION_LUT_SHAPE,
        tags::RESCALE_INTERCEPT,
        tags::RESCALE_SLOPE,
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::MODALITY_LUT_SEQUENCE,
        tags::VOILUT_SEQUENCE,
        tags::LUT_DESCRIPTOR,
        tags::LUT_DATA,
        tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
        tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
        tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
        tags::FRAME_VOILUT_SEQUENCE,
    ];
    WANTED.contains(&tag)
}

/// The elements of a file that its readers need, and the place of its pixels.
///
/// # Errors
/// As [`Source::elements`], and a panic of dicom-rs.
pub fn elements(source: &Source) -> Result<Elements, String> {
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
