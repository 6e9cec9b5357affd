//! The attributes of a DICOM image that its pixels depend on (PS3.3 §C.7.6.3, C.11.1, C.11.2).

use crate::bounds;
use crate::elements::{Elements, Pixels, Tag};
use crate::lut::Lut;

const SOP_CLASS: Tag = 0x0008_0016;
const SOP_INSTANCE: Tag = 0x0008_0018;
const MODALITY: Tag = 0x0008_0060;
const MANUFACTURER: Tag = 0x0008_0070;
const PATIENT_ID: Tag = 0x0010_0020;
const SAMPLES: Tag = 0x0028_0002;
const PHOTOMETRIC: Tag = 0x0028_0004;
const PLANAR: Tag = 0x0028_0006;
const FRAMES: Tag = 0x0028_0008;
const ROWS: Tag = 0x0028_0010;
const COLUMNS: Tag = 0x0028_0011;
const ALLOCATED: Tag = 0x0028_0100;
const STORED: Tag = 0x0028_0101;
const HIGH: Tag = 0x0028_0102;
const REPRESENTATION: Tag = 0x0028_0103;
const PADDING: Tag = 0x0028_0120;
const PADDING_LIMIT: Tag = 0x0028_0121;
const CENTER: Tag = 0x0028_1050;
const WIDTH: Tag = 0x0028_1051;
const INTERCEPT: Tag = 0x0028_1052;
const SLOPE: Tag = 0x0028_1053;
const FUNCTION: Tag = 0x0028_1056;
const PALETTES: [(Tag, Tag); 3] = [(0x0028_1101, 0x0028_1201), (0x0028_1102, 0x0028_1202), (0x0028_1103, 0x0028_1203)];
const MODALITY_LUTS: Tag = 0x0028_3000;
const LUT_DESCRIPTOR: Tag = 0x0028_3002;
const LUT_DATA: Tag = 0x0028_3006;
const VOI_LUTS: Tag = 0x0028_3010;
const FRAME_VOI: Tag = 0x0028_9132;
const TRANSFORMATION: Tag = 0x0028_9145;
const SHARED: Tag = 0x5200_9229;
const PER_FRAME: Tag = 0x5200_9230;

/// Whether a header's reader needs this element.
pub fn wanted(tag: Tag) -> bool {
    matches!(
        tag,
        SOP_CLASS | SOP_INSTANCE | MODALITY | MANUFACTURER | PATIENT_ID | MODALITY_LUTS | VOI_LUTS | SHARED | PER_FRAME
    ) || tag >> 16 == 0x0028
}

/// Who and what a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub patient: Option<String>,
    pub instance: Option<String>,
    pub has_pixels: bool,
    pub frames: u32,
}

impl Identity {
    /// From the elements of a file; none when nothing in them is DICOM's.
    pub fn read(elements: &Elements<'_>, pixels: Option<Pixels>) -> Result<Option<Self>, String> {
        if elements.bytes(SOP_CLASS).is_none() && elements.bytes(ROWS).is_none() {
            return Ok(None);
        }
        let has_pixels = pixels.is_some();
        let frames = if has_pixels { frames(elements)? } else { 0 };
        let (patient, instance) = (elements.text(PATIENT_ID), elements.text(SOP_INSTANCE));
        Ok(Some(Self { patient, instance, has_pixels, frames }))
    }
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
    pub photometric: String,
    pub frames: u32,
}

impl Layout {
    /// Samples of one frame; [`Layout::read`] bounds it.
    pub fn count(&self) -> usize {
        self.rows * self.columns * self.samples
    }

    /// From the elements of a file.
    ///
    /// # Errors
    /// An attribute that is missing, impossible, or beyond the bounds.
    pub fn read(elements: &Elements<'_>) -> Result<Self, String> {
        let need = |tag, name: &str| elements.short(tag).map(u32::from).ok_or_else(|| format!("has no {name}"));
        let (rows, columns) = (need(ROWS, "Rows")?, need(COLUMNS, "Columns")?);
        let samples = elements.short(SAMPLES).map_or(1, u32::from);
        let allocated = need(ALLOCATED, "Bits Allocated")?;
        let stored = elements.short(STORED).map_or(allocated, u32::from);
        let high = elements.short(HIGH).map_or(stored.saturating_sub(1), u32::from);
        if rows == 0 || columns == 0 {
            return Err(format!("has {rows} rows and {columns} columns"));
        }
        if samples != 1 && samples != 3 {
            return Err(format!("has {samples} samples per pixel, expected 1 or 3"));
        }
        if ![8, 16, 32].contains(&allocated) {
            return Err(format!("has {allocated} bits allocated, expected 8, 16 or 32"));
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
        let photometric = elements.text(PHOTOMETRIC).unwrap_or_else(|| "MONOCHROME2".into());
        Ok(Self {
            rows: rows as usize,
            columns: columns as usize,
            samples: samples as usize,
            allocated,
            stored,
            high,
            signed: elements.short(REPRESENTATION) == Some(1),
            planar: elements.short(PLANAR) == Some(1),
            photometric,
            frames: frames(elements)?,
        })
    }
}

fn frames(elements: &Elements<'_>) -> Result<u32, String> {
    match elements.decimals(FRAMES)?.first() {
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
    pub voi_lut: Option<Lut>,
    pub window: Option<Window>,
    /// Stored values that stand for no measurement, both ends included.
    pub padding: Option<(i64, i64)>,
    /// Red, green, blue.
    pub palette: Option<[Lut; 3]>,
}

impl Presentation {
    /// From the elements of a file for one of its frames: its own functional group, then the shared one, then the file.
    ///
    /// # Errors
    /// Values that are no numbers, or tables whose lengths contradict each other.
    pub fn read(elements: &Elements<'_>, layout: &Layout, frame: u32) -> Result<Self, String> {
        let own = elements.items(PER_FRAME).get(frame as usize);
        let groups = || own.into_iter().chain(elements.items(SHARED).first());
        let scope = |macro_tag, tag| {
            let macros = groups().filter_map(|group| group.items(macro_tag).first());
            macros.chain([elements]).find(|scope| scope.bytes(tag).is_some()).unwrap_or(elements)
        };
        let transformation = scope(TRANSFORMATION, SLOPE);
        let modality = match elements.items(MODALITY_LUTS).first() {
            Some(item) => Modality::Table(table(item, layout.signed)?),
            None => Modality::Linear {
                slope: transformation.decimals(SLOPE)?.first().copied().unwrap_or(1.0),
                intercept: transformation.decimals(INTERCEPT)?.first().copied().unwrap_or(0.0),
            },
        };
        let is_signed_after = match &modality {
            Modality::Linear { intercept, .. } => layout.signed || *intercept < 0.0,
            Modality::Table(_) => false,
        };
        let voi_lut = elements.items(VOI_LUTS).first().map(|item| table(item, is_signed_after)).transpose()?;
        let padding = elements.short(PADDING).map(|first| {
            let value = |bits: u16| if layout.signed { i64::from(bits as i16) } else { i64::from(bits) };
            let limit = elements.short(PADDING_LIMIT).unwrap_or(first);
            (value(first).min(value(limit)), value(first).max(value(limit)))
        });
        Ok(Self {
            modality,
            voi_lut,
            window: window(scope(FRAME_VOI, CENTER))?,
            padding,
            palette: (layout.photometric == "PALETTE COLOR").then(|| palette(elements)).transpose()?,
        })
    }
}

/// The first window. A width that the function does not allow is an error, not a different picture.
fn window(scope: &Elements<'_>) -> Result<Option<Window>, String> {
    let (centers, widths) = (scope.decimals(CENTER)?, scope.decimals(WIDTH)?);
    let (Some(&center), Some(&width)) = (centers.first(), widths.first()) else { return Ok(None) };
    let function = match scope.text(FUNCTION).as_deref() {
        None | Some("LINEAR") => Function::Linear,
        Some("LINEAR_EXACT") => Function::LinearExact,
        Some("SIGMOID") => Function::Sigmoid,
        Some(other) => return Err(format!("has the VOI LUT Function `{other}`, which the standard does not define")),
    };
    let least = if function == Function::Linear { 1.0 } else { f64::MIN_POSITIVE };
    if width < least {
        return Err(format!("has a window width of {width}; set dataset.options.voi to percentile or minmax"));
    }
    Ok(Some(Window { center, width, function }))
}

fn table(item: &Elements<'_>, is_signed: bool) -> Result<Lut, String> {
    let descriptor = item.shorts(LUT_DESCRIPTOR).unwrap_or_default();
    let is_signed = item.representation(LUT_DESCRIPTOR).map_or(is_signed, |written| &written == b"SS");
    Lut::new(&descriptor, item.bytes(LUT_DATA).unwrap_or_default(), item.coding, is_signed)
        .map_err(|why| format!("has a lookup table that cannot be: {why}"))
}

fn palette(elements: &Elements<'_>) -> Result<[Lut; 3], String> {
    let [red, green, blue] = PALETTES.map(|(descriptor, data)| {
        let Some(bytes) = elements.bytes(data) else {
            return Err("has palette colours without (plain) palette tables".to_string());
        };
        Lut::new(&elements.shorts(descriptor).unwrap_or_default(), bytes, elements.coding, false)
            .map_err(|why| format!("has a palette that cannot be: {why}"))
    });
    Ok([red?, green?, blue?])
}

/// What `selfsame data stats` counts, by name.
pub fn facts(elements: &Elements<'_>) -> Vec<(&'static str, String)> {
    let text = |tag| elements.text(tag).unwrap_or_else(|| "not stated".into());
    let short = |tag| elements.short(tag).map_or_else(|| "not stated".into(), |number| number.to_string());
    let voi = match (elements.items(VOI_LUTS).is_empty(), elements.text(CENTER)) {
        (false, _) => "lookup table",
        (true, Some(_)) => "window",
        (true, None) => "none in the file",
    };
    vec![
        ("photometric interpretation", text(PHOTOMETRIC)),
        ("bits stored", short(STORED)),
        ("size", format!("{}×{}", short(ROWS), short(COLUMNS))),
        ("modality", text(MODALITY)),
        ("manufacturer", text(MANUFACTURER)),
        ("value of interest", voi.into()),
    ]
}
