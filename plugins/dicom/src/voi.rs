//! From stored values to grey, as pure functions (PS3.3 §C.11.1 and C.11.2).

use crate::layout::Layout;
use crate::lut::Lut;
use crate::options::Voi;
use crate::photometric::Photometric;
use crate::presentation::{Function, Interest, Modality, Presentation, Window};

/// Percentiles between which `percentile` spreads grey.
pub const PERCENTILES: (f64, f64) = (0.005, 0.995);

impl Window {
    /// Grey from 0 to 1 (PS3.3 §C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2).
    pub fn grey(&self, value: f64) -> f64 {
        let Window { center, width, function } = *self;
        match function {
            Function::Linear => {
                let (middle, span) = (center - 0.5, width - 1.0);
                if value <= middle - span / 2.0 {
                    0.0
                } else if value > middle + span / 2.0 {
                    1.0
                } else {
                    (value - middle) / span + 0.5
                }
            }
            Function::LinearExact => {
                if value <= center - width / 2.0 {
                    0.0
                } else if value > center + width / 2.0 {
                    1.0
                } else {
                    (value - center) / width + 0.5
                }
            }
            Function::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - center) / width).exp()),
        }
    }
}

impl Modality {
    /// Modality units of a stored value.
    pub fn value(&self, stored: i32) -> f64 {
        match self {
            Modality::Linear { slope, intercept } => f64::from(stored) * slope + intercept,
            Modality::Table(lut) => f64::from(lut.get(stored.into())),
        }
    }
}

/// From modality units to grey from 0 to 1, chosen for one frame.
enum Map<'p> {
    Window(&'p Window),
    Table(&'p Lut),
    /// Linear between two values; a constant frame has none and is 0.
    Range(Option<(f64, f64)>),
}

impl Map<'_> {
    fn grey(&self, value: f64) -> f64 {
        match self {
            Map::Window(window) => window.grey(value),
            Map::Table(lut) => f64::from(lut.get(value.round() as i64)) / lut.ceiling(),
            Map::Range(Some((low, high))) => ((value - low) / (high - low)).clamp(0.0, 1.0),
            Map::Range(None) => 0.0,
        }
    }
}

/// A type of stored samples.
pub trait Sample: Copy + Ord + Into<i32> {
    /// Applies a function of the value to every sample, computed once for each value where that is less work.
    fn map_all<L: Copy>(stored: Vec<Self>, level: impl Fn(i32) -> L) -> Vec<L>;
}

impl Sample for u8 {
    fn map_all<L: Copy>(stored: Vec<Self>, level: impl Fn(i32) -> L) -> Vec<L> {
        let table: [L; 256] = std::array::from_fn(|value| level(value as i32));
        // Levels that are bytes take their samples' memory.
        stored.into_iter().map(|value| table[usize::from(value)]).collect()
    }
}

impl Sample for i32 {
    fn map_all<L: Copy>(stored: Vec<Self>, level: impl Fn(i32) -> L) -> Vec<L> {
        let Some((low, high)) = ends(&stored) else { return Vec::new() };
        let span = i64::from(high) - i64::from(low);
        if span >= stored.len() as i64 {
            return stored.into_iter().map(level).collect();
        }
        let table: Vec<L> = (low..=high).map(level).collect();
        stored.into_iter().map(|value| table[(value - low) as usize]).collect()
    }
}

/// Grey levels from 0 to `ceiling` of a monochrome frame: modality transformation, value of interest, inversion of
/// `MONOCHROME1`. Padding is black and takes no part in any statistic; a constant frame is black.
///
/// `place` puts a level into the type that is kept.
pub fn monochrome<T: Sample, L: Copy>(
    stored: Vec<T>,
    layout: &Layout,
    shown: &Presentation,
    voi: Voi,
    ceiling: u16,
    place: fn(u16) -> L,
) -> Vec<L> {
    let is_padding = |value: i32| shown.padding.is_some_and(|(first, last)| (first..=last).contains(&i64::from(value)));
    let range = || {
        let padding = shown.padding.is_some().then_some(&is_padding as &dyn Fn(i32) -> bool);
        Map::Range(extremes(&stored, padding, &shown.modality))
    };
    let map = match (voi, &shown.interest) {
        (Voi::Window, Some(Interest::Table(lut))) => Map::Table(lut),
        (Voi::Window, Some(Interest::Window(window))) => Map::Window(window),
        (Voi::Window, None) | (Voi::Minmax, _) => range(),
        (Voi::Percentile, _) => match percentiles(&stored, is_padding, &shown.modality) {
            Some(ends) => Map::Range(Some(ends)),
            // Nearly all values are equal: what differs is the image.
            None => range(),
        },
        (Voi::None, _) => Map::Range(expressible(layout, &shown.modality)),
    };
    let is_inverted = layout.photometric == Photometric::Monochrome1;
    // A constant frame is black in both interpretations: which end its one value stands for is not known.
    let is_constant = matches!(map, Map::Range(None));
    let level = |value: i32| {
        if is_constant || is_padding(value) {
            return place(0);
        }
        let grey = map.grey(shown.modality.value(value));
        let grey = if is_inverted { 1.0 - grey } else { grey };
        place((grey * f64::from(ceiling)).round() as u16)
    };
    T::map_all(stored, level)
}

/// The smallest and the largest sample.
fn ends<T: Sample>(stored: &[T]) -> Option<(i32, i32)> {
    // In the samples' own type: sixteen bytes are compared at once.
    let (low, high) = (stored.iter().copied().min()?, stored.iter().copied().max()?);
    Some((low.into(), high.into()))
}

/// The smallest and the largest value in modality units; none when they are equal or all is padding.
fn extremes<T: Sample>(
    stored: &[T],
    is_padding: Option<&dyn Fn(i32) -> bool>,
    modality: &Modality,
) -> Option<(f64, f64)> {
    let is_kept = |&value: &i32| is_padding.is_none_or(|is_padding| !is_padding(value));
    let values = || stored.iter().map(|&value| value.into()).filter(is_kept);
    let ends = match modality {
        // Monotonous: the ends are where the stored ends are.
        Modality::Linear { .. } => {
            let (low, high) = match is_padding {
                None => ends(stored)?,
                Some(_) => (values().min()?, values().max()?),
            };
            (modality.value(low), modality.value(high))
        }
        Modality::Table(_) => values()
            .map(|value| modality.value(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value))),
    };
    let ends = (ends.0.min(ends.1), ends.0.max(ends.1));
    (ends.0 < ends.1).then_some(ends)
}

/// The percentiles in modality units, linearly interpolated between the two nearest ranks; none when they are equal.
fn percentiles<T: Sample>(stored: &[T], is_padding: impl Fn(i32) -> bool, modality: &Modality) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = stored
        .iter()
        .map(|&value| value.into())
        .filter(|&value| !is_padding(value))
        .map(|value| modality.value(value))
        .collect();
    let last = values.len().checked_sub(1)?;
    let mut rank = |fraction: f64| {
        let place = fraction * last as f64;
        let below = place.floor() as usize;
        let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
        let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
        low + (high - low) * place.fract()
    };
    let ends = (rank(PERCENTILES.0), rank(PERCENTILES.1));
    (ends.0 < ends.1).then_some(ends)
}

/// The smallest and the largest value that the stored bits can express, in modality units.
fn expressible(layout: &Layout, modality: &Modality) -> Option<(f64, f64)> {
    if let Modality::Table(lut) = modality {
        return Some((0.0, lut.ceiling()));
    }
    let bits = layout.stored.min(31 + u32::from(layout.signed));
    let (low, high) = match layout.signed {
        true => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
        false => (0, (1i64 << bits) - 1),
    };
    let ends = (modality.value(low as i32), modality.value(high as i32));
    let ends = (ends.0.min(ends.1), ends.0.max(ends.1));
    (ends.0 < ends.1).then_some(ends)
}
