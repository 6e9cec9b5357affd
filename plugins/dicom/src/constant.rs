//! Images all of whose pixels are equal as they are shown, and what makes them so.

use crate::codec::Stored;
use crate::layout::Layout;
use crate::listing::few;
use crate::options::{Look, Voi};
use crate::presentation::{Interest, Modality, Presentation};
use selfsame_plugin_api::Image;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Whether each channel has one value only.
pub fn is_constant(image: &Image) -> bool {
    let cell = usize::from(image.bit_depth / 8);
    let is_flat = |plane: &[u8]| plane.chunks_exact(cell).all(|value| value == &plane[..cell]);
    image.data.chunks(image.height * image.width * cell).all(is_flat)
}

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

/// The constant images of one split that were read. The first is named at once, and all are counted in the end.
pub struct Constant {
    root: Arc<PathBuf>,
    /// Ids and causes, by the place in the split.
    images: Mutex<BTreeMap<usize, (String, Cause)>>,
}

impl Constant {
    /// None yet.
    pub fn new(root: Arc<PathBuf>) -> Self {
        Self { root, images: Mutex::default() }
    }

    /// One more, unless it was read before.
    pub fn add(&self, index: usize, id: String, cause: Cause) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if images.is_empty() {
            let (root, name, advice) = (self.root.display(), cause.name(), cause.advice());
            tracing::warn!(
                "{root}/{id}: all its pixels are equal as they are shown, so that nothing can be learnt from them, because of \
                 {name}; {advice}. Further such images are counted"
            );
        }
        images.insert(index, (id, cause));
    }

    /// What makes an image constant, if it was read and is.
    pub fn cause(&self, index: usize) -> Option<Cause> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).get(&index).map(|(_, cause)| *cause)
    }

    /// In words, how many there are for each cause; none where the first was the only one.
    pub fn summary(&self) -> Option<String> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        let mut causes: BTreeMap<Cause, Vec<&str>> = BTreeMap::new();
        for (id, cause) in images.values() {
            causes.entry(*cause).or_default().push(id);
        }
        let said = |(cause, ids): (&Cause, &Vec<&str>)| {
            format!("because of {}: {}, {}", cause.name(), few(ids), cause.advice())
        };
        let causes: Vec<_> = causes.iter().map(said).collect();
        (images.len() > 1).then(|| {
            let (count, root) = (images.len(), self.root.display());
            format!("{root}: {count} images have equal pixels only, as they are shown; {}", causes.join("; "))
        })
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        if let Some(summary) = self.summary() {
            tracing::warn!("{summary}");
        }
    }
}
