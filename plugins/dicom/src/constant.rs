//! What makes all pixels of an image equal as they are shown.

use crate::codec::Stored;
use crate::layout::Layout;
use crate::options::{Look, Voi};
use crate::presentation::{Interest, Modality, Presentation};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What makes all pixels of an image equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    BitsStored,
    ModalityTable,
    Padding,
    Palette,
    Pixels,
    Table,
    Window,
    Windows,
}

impl Cause {
    /// Of a constant image that is shown so.
    pub fn of((layout, shown, stored): &(Layout, Presentation, Stored), look: &Look) -> Self {
        let values = stored.values.wide();
        let is_flat = values.chunks_exact(layout.samples).all(|pixel| pixel == &values[..layout.samples]);
        let is_padding =
            |value: i32| shown.padding.is_some_and(|(first, last)| (first..=last).contains(&i64::from(value)));
        let mut measured = values.iter().copied().filter(|&value| !is_padding(value));
        let first = measured.next();
        let units = |value| shown.modality.value(value);
        match (&shown.palette, &shown.modality, &shown.interest) {
            _ if is_flat => Self::Pixels,
            (Some(_), ..) => Self::Palette,
            _ if !layout.photometric.is_grey() => Self::Pixels,
            _ if first.is_none() => Self::Padding,
            (_, Modality::Table(_), _) if measured.all(|value| Some(units(value)) == first.map(units)) => {
                Self::ModalityTable
            }
            (.., Some(Interest::Window(_))) => Self::Window,
            (.., Some(Interest::Table(_))) => Self::Table,
            _ if !look.windows.is_empty() => Self::Windows,
            _ if look.pixels.voi == Voi::None => Self::BitsStored,
            _ => Self::Pixels,
        }
    }

    /// The attribute or the option.
    pub fn name(self) -> &'static str {
        match self {
            Self::BitsStored => "Bits Stored",
            Self::ModalityTable => "Modality LUT Sequence",
            Self::Padding => "Pixel Padding Value",
            Self::Palette => "Palette Color Lookup Table",
            Self::Pixels => "Pixel Data",
            Self::Table => "VOI LUT Sequence",
            Self::Window => "Window Center and Window Width",
            Self::Windows => "dataset.options.windows",
        }
    }

    /// What to do about it.
    fn advice(self) -> &'static str {
        match self {
            Self::BitsStored | Self::Table | Self::Window => {
                "correct it, or set dataset.options.voi to percentile or minmax"
            }
            Self::ModalityTable | Self::Padding | Self::Palette => "correct it, or leave the file out",
            Self::Pixels => "leave the file out",
            Self::Windows => "choose a window that its values lie in",
        }
    }
}

/// What makes images of a split equal pixels only, by the place of those that were read.
#[derive(Default)]
pub struct Causes(Mutex<BTreeMap<usize, Cause>>);

impl Causes {
    /// Of one more image.
    pub fn add(&self, index: usize, cause: Cause) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(index, cause);
    }

    /// Of an image that was read, in words.
    pub fn of(&self, index: usize) -> Option<String> {
        let cause = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&index).copied()?;
        Some(format!("because of {}; {}", cause.name(), cause.advice()))
    }
}
