//! Images all of whose pixels are equal as they are shown, and what makes them so.

use crate::codec::Stored;
use crate::layout::Layout;
use crate::listing::few;
use crate::options::Voi;
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

/// The attribute that makes all pixels of a constant image equal.
pub fn cause((layout, shown, stored): &(Layout, Presentation, Stored), voi: Voi) -> &'static str {
    let values = stored.values.wide();
    let is_flat = values.chunks_exact(layout.samples).all(|pixel| pixel == &values[..layout.samples]);
    let is_padding = |value: i32| shown.padding.is_some_and(|(first, last)| (first..=last).contains(&i64::from(value)));
    let mut measured = values.iter().copied().filter(|&value| !is_padding(value));
    let first = measured.next();
    let units = |value| shown.modality.value(value);
    match (&shown.palette, &shown.modality, &shown.interest) {
        _ if is_flat => "Pixel Data",
        (Some(_), ..) => "Palette Color Lookup Table",
        _ if !layout.photometric.is_grey() => "Pixel Data",
        _ if first.is_none() => "Pixel Padding Value",
        (_, Modality::Table(_), _) if measured.all(|value| Some(units(value)) == first.map(units)) => {
            "Modality LUT Sequence"
        }
        (.., Some(Interest::Window(_))) => "Window Center and Window Width",
        (.., Some(Interest::Table(_))) => "VOI LUT Sequence",
        _ if matches!(voi, Voi::Windows(_)) => "dataset.options.windows",
        _ if voi == Voi::None => "Bits Stored",
        _ => "Pixel Data",
    }
}

/// The constant images of one split that were read. The first is named at once, and all are counted in the end.
pub struct Constant {
    root: Arc<PathBuf>,
    /// Each with its cause, by its place in the split.
    images: Mutex<BTreeMap<usize, (PathBuf, &'static str)>>,
}

impl Constant {
    /// None yet.
    pub fn new(root: Arc<PathBuf>) -> Self {
        Self { root, images: Mutex::default() }
    }

    /// One more, unless it was read before.
    pub fn add(&self, index: usize, file: PathBuf, cause: &'static str) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if images.is_empty() {
            let path = self.root.join(&file);
            tracing::warn!(
                "{}: all its pixels are equal as they are shown, so that nothing can be learnt from them, because of its \
                 {cause}; correct it, or set dataset.options.voi to percentile or minmax. Further such images are counted",
                path.display()
            );
        }
        images.insert(index, (file, cause));
    }

    /// What makes an image constant, if it was read and is.
    pub fn cause(&self, index: usize) -> Option<&'static str> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).get(&index).map(|(_, cause)| *cause)
    }

    /// In words, how many there are for each cause; none where the first was the only one.
    pub fn summary(&self) -> Option<String> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        let mut causes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (file, cause) in images.values() {
            causes.entry(cause).or_default().push(file.display().to_string());
        }
        let causes: Vec<_> =
            causes.iter().map(|(cause, files)| format!("because of their {cause}: {}", few(files))).collect();
        (images.len() > 1).then(|| {
            let (count, root) = (images.len(), self.root.display());
            format!("{root}: {count} images have equal pixels only as they are shown; {}", causes.join("; "))
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
