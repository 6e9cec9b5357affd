//! What a viewer needs to show a DICOM image (PS3.3 §C.11.1, C.11.2).

use crate::attributes::Attributes;
use crate::layout::Layout;
use crate::lut::Lut;
use crate::options::Voi;
use crate::photometric::Photometric;
use crate::table::shown;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// Descriptor and data of each colour's table.
const PALETTES: [(Tag, Tag); 3] = [
    (tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA),
    (tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA),
    (tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA),
];

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
    let function = scope.text(tags::VOILUT_FUNCTION)?.map(|name| name.to_ascii_uppercase());
    let function = match function.as_deref() {
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
