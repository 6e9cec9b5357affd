//! How a DICOM image's samples are stored (PS3.3 §C.7.6.3).

use crate::attributes::Attributes;
use crate::bounds;
use crate::guard::caught;
use crate::header;
use crate::photometric::Photometric;
use crate::source::Source;
use dicom_dictionary_std::tags;

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
        let elements = header::elements(source)?;
        caught(|| Self::read(Attributes::new(&elements.object, source.coding.explicit)))
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
        // One that cannot be means nothing, nor does any in compressed code but RLE's.
        let high = elements.short(tags::HIGH_BIT).ok().flatten().map(u32::from);
        let high = high.filter(|high| (stored..=allocated).contains(&(high + 1))).unwrap_or(stored.saturating_sub(1));
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
        if stored == 0 || stored > allocated {
            return Err(format!("has {stored} bits stored of {allocated} bits allocated, which cannot be"));
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

/// Number of Frames, 1 where a file does not say or says none.
///
/// # Errors
/// No whole number, or one that is beyond the bounds.
pub fn frames(elements: Attributes<'_>) -> Result<u32, String> {
    match elements.decimals(tags::NUMBER_OF_FRAMES)?.first() {
        None => Ok(1),
        Some(&count) if count < 1.0 && count.fract() == 0.0 => Ok(1),
        Some(&count) if count <= f64::from(bounds::FRAMES) && count.fract() == 0.0 => Ok(count as u32),
        Some(count) => Err(format!("has {count} frames, expected 1 to {}", bounds::FRAMES)),
    }
}
