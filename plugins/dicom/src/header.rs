//! The attributes of a DICOM image that its pixels depend on (PS3.3 §C.7.6.3, C.11.1, C.11.2).

use crate::attributes::Attributes;
use crate::bounds;
use crate::coding::Pixels;
use crate::guard::caught;
use crate::length;
use crate::lut::Lut;
use crate::options::Voi;
use crate::photometric::Photometric;
use crate::source::Source;
use crate::table::shown;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Descriptor and data of each colour's table.
const PALETTES: [(Tag, Tag); 3] = [
    (tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA),
    (tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA),
    (tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA),
];

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
        let (object, pixels) = elements(source)?;
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

/// How samples are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub rows: usize,
    pub columns: usize,
    /// Samples per pixel, 1 or 3.
    pub samples: usize,
    /// 8, 16 or 32.
    pub allocated: u32,
    pub stored: u32,
    pub high: u32,
    pub signed: bool,
    /// Colours one after the other instead of pixel by pixel.
    pub planar: bool,
    pub photometric: Photometric,
    pub frames: u32,
}

impl Layout {
    /// Samples of one frame; [`Layout::read`] bounds it.
    pub fn count(&self) -> usize {
        self.rows * self.columns * self.samples
    }

    /// Of a file.
    ///
    /// # Errors
    /// A header that is damaged, or an attribute as [`Layout::read`] says.
    pub fn of(source: &Source) -> Result<Self, String> {
        let (object, _) = elements(source)?;
        caught(|| Self::read(Attributes::new(&object, source.coding.explicit)))
    }

    /// From the elements of a file.
    ///
    /// # Errors
    /// An attribute that is missing, impossible, or beyond the bounds.
    pub fn read(elements: Attributes<'_>) -> Result<Self, String> {
        let need = |tag, name: &str| elements.short(tag)?.map(u32::from).ok_or_else(|| format!("has no {name}"));
        let (rows, columns) = (need(tags::ROWS, "Rows")?, need(tags::COLUMNS, "Columns")?);
        let name = elements.text(tags::PHOTOMETRIC_INTERPRETATION)?.ok_or("has no Photometric Interpretation")?;
        let photometric = Photometric::parse(&name)?;
        let samples = elements.short(tags::SAMPLES_PER_PIXEL)?.map_or(photometric.samples(), u32::from);
        let allocated = need(tags::BITS_ALLOCATED, "Bits Allocated")?;
        let stored = elements.short(tags::BITS_STORED)?.map_or(allocated, u32::from);
        let high = elements.short(tags::HIGH_BIT)?.map_or(stored.saturating_sub(1), u32::from);
        if rows == 0 || columns == 0 {
            return Err(format!("has {rows} rows and {columns} columns"));
        }
        if samples != photometric.samples() {
            return Err(format!("has {samples} samples per pixel, but {name} has {}", photometric.samples()));
        }
        if ![8, 16, 32].contains(&allocated) {
            return Err(format!(
                "has {allocated} for Bits Allocated, expected 8, 16 or 32; convert it to one of these"
            ));
        }
        if stored == 0 || stored > allocated || high + 1 < stored || high >= allocated {
            return Err(format!(
                "has {stored} bits stored up to bit {high} of {allocated} bits allocated, which cannot be"
            ));
        }
        let count = u64::from(rows) * u64::from(columns) * u64::from(samples);
        if count > bounds::SAMPLES {
            let most = bounds::SAMPLES;
            return Err(format!("has frames of {rows}×{columns} pixels, {count} samples; at most {most} are read"));
        }
        Ok(Self {
            rows: rows as usize,
            columns: columns as usize,
            samples: samples as usize,
            allocated,
            stored,
            high,
            signed: elements.short(tags::PIXEL_REPRESENTATION)? == Some(1),
            planar: elements.short(tags::PLANAR_CONFIGURATION)? == Some(1),
            photometric,
            frames: frames(elements)?,
        })
    }
}

fn frames(elements: Attributes<'_>) -> Result<u32, String> {
    match elements.decimals(tags::NUMBER_OF_FRAMES)?.first() {
        None => Ok(1),
        Some(&count) if count >= 1.0 && count <= f64::from(bounds::FRAMES) && count.fract() == 0.0 => Ok(count as u32),
        Some(count) => Err(format!("has {count} frames, expected 1 to {}", bounds::FRAMES)),
    }
}

/// The shape of a window (PS3.3 §C.11.2.1.2 and C.11.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Linear,
    LinearExact,
    Sigmoid,
}

/// Centre and width in modality units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub center: f64,
    pub width: f64,
    pub function: Function,
}

/// A file's own way from modality units to grey.
#[derive(Debug, Clone, PartialEq)]
pub enum Interest {
    Table(Lut),
    Window(Window),
}

/// From stored values to modality units.
#[derive(Debug, Clone, PartialEq)]
pub enum Modality {
    Linear { slope: f64, intercept: f64 },
    Table(Lut),
}

/// What a viewer needs to show one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Presentation {
    pub modality: Modality,
    /// None where the file has none, and where none is asked for.
    pub interest: Option<Interest>,
    /// Stored values that stand for no measurement, both ends included.
    pub padding: Option<(i64, i64)>,
    /// Red, green, blue.
    pub palette: Option<[Lut; 3]>,
}

impl Presentation {
    /// From the elements of a file for one of its frames: its own functional group, then the shared one, then the file.
    /// Windows and VOI lookup tables are read only where `voi` is [`Voi::Window`] and the frame is grey, so that a wrong
    /// one stops nobody who does not want it.
    ///
    /// # Errors
    /// Values that are no numbers, or tables whose lengths contradict each other.
    pub fn read(elements: Attributes<'_>, layout: &Layout, frame: u32, voi: Voi) -> Result<Self, String> {
        let own = elements.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)?.nth(frame as usize);
        let shared = elements.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE)?.next();
        let scope = |macro_tag, tag| {
            for group in own.into_iter().chain(shared) {
                if let Some(item) = group.items(macro_tag)?.next().filter(|item| item.has(tag)) {
                    return Ok(item);
                }
            }
            Ok::<_, String>(elements)
        };
        let transformation = scope(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_SLOPE)?;
        let modality = match elements.items(tags::MODALITY_LUT_SEQUENCE)?.next() {
            Some(item) => Modality::Table(table(item, layout.signed)?),
            None => Modality::Linear {
                slope: transformation.decimals(tags::RESCALE_SLOPE)?.first().copied().unwrap_or(1.0),
                intercept: transformation.decimals(tags::RESCALE_INTERCEPT)?.first().copied().unwrap_or(0.0),
            },
        };
        if layout.photometric.is_grey() && matches!(modality, Modality::Linear { slope: 0.0, .. }) {
            return Err("has a Rescale Slope of 0, which makes all pixels equal; correct it".into());
        }
        let is_signed_after = match &modality {
            Modality::Linear { intercept, .. } => layout.signed || *intercept < 0.0,
            Modality::Table(_) => false,
        };
        let interest = if voi == Voi::Window && layout.photometric.is_grey() {
            scope(tags::FRAME_VOILUT_SEQUENCE, tags::WINDOW_CENTER)
                .and_then(|scope| interest(elements, scope, is_signed_after))
                .map_err(|why| format!("{why}; set dataset.options.voi to percentile or minmax"))?
        } else {
            None
        };
        let limit = elements.short(tags::PIXEL_PADDING_RANGE_LIMIT)?;
        let padding = elements.short(tags::PIXEL_PADDING_VALUE)?.map(|first| {
            let value = |bits: u16| if layout.signed { i64::from(bits as i16) } else { i64::from(bits) };
            let limit = limit.unwrap_or(first);
            (value(first).min(value(limit)), value(first).max(value(limit)))
        });
        Ok(Self {
            modality,
            interest,
            padding,
            palette: (layout.photometric == Photometric::Palette).then(|| palette(elements)).transpose()?,
        })
    }
}

/// The first VOI lookup table, else the first window of `scope`.
fn interest(elements: Attributes<'_>, scope: Attributes<'_>, is_signed: bool) -> Result<Option<Interest>, String> {
    if let Some(item) = elements.items(tags::VOILUT_SEQUENCE)?.next() {
        return Ok(Some(Interest::Table(table(item, is_signed)?)));
    }
    Ok(window(scope)?.map(Interest::Window))
}

/// The first window. A width that the function does not allow is an error, not a different picture. Centre 0 and width 1
/// are what programs write where nobody chose a window, and count as none.
fn window(scope: Attributes<'_>) -> Result<Option<Window>, String> {
    let (centers, widths) = (scope.decimals(tags::WINDOW_CENTER)?, scope.decimals(tags::WINDOW_WIDTH)?);
    let (Some(&center), Some(&width)) = (centers.first(), widths.first()) else { return Ok(None) };
    let function = match scope.text(tags::VOILUT_FUNCTION)?.as_deref() {
        None | Some("LINEAR") => Function::Linear,
        Some("LINEAR_EXACT") => Function::LinearExact,
        Some("SIGMOID") => Function::Sigmoid,
        Some(other) => {
            return Err(format!("has the VOI LUT Function `{}`, which the standard does not define", shown(other)));
        }
    };
    let (is_allowed, expected) = match function {
        Function::Linear => (width >= 1.0, "at least 1"),
        Function::LinearExact | Function::Sigmoid => (width > 0.0, "more than 0"),
    };
    if !is_allowed {
        return Err(format!("has a window width of {width}, expected {expected}"));
    }
    if (function, center, width) == (Function::Linear, 0.0, 1.0) {
        return Ok(None);
    }
    Ok(Some(Window { center, width, function }))
}

fn table(item: Attributes<'_>, is_signed: bool) -> Result<Lut, String> {
    let is_signed = item.representation(tags::LUT_DESCRIPTOR).map_or(is_signed, |written| written == VR::SS);
    Lut::new(&item.shorts(tags::LUT_DESCRIPTOR)?, &item.bytes(tags::LUT_DATA)?, is_signed)
        .map_err(|why| format!("has a lookup table that cannot be: {why}"))
}

fn palette(elements: Attributes<'_>) -> Result<[Lut; 3], String> {
    if elements.has(tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA) {
        return Err("has a segmented palette, which is not read; convert it to RGB".into());
    }
    let [red, green, blue] = PALETTES.map(|(descriptor, data)| {
        Lut::new(&elements.shorts(descriptor)?, &elements.bytes(data)?, false)
            .map_err(|why| format!("has a palette that cannot be: {why}"))
    });
    let mut luts = [red?, green?, blue?];
    // A colour that stays below 256 does not show that its words have 16 bits.
    let bits = luts[0].bits.max(luts[1].bits).max(luts[2].bits);
    luts.iter_mut().for_each(|lut| lut.bits = bits);
    Ok(luts)
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
