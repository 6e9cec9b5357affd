//! What the views know of a random operation.

use super::Result;
use super::draw::BatchDraws;
use crate::data::Size;
use tch::Tensor;

/// A random operation, which its settings are. `AugmentationConfig` lists all of them in the order in which they run.
pub trait Operation {
    /// What is done and what decides about it, in a few words for people who look at views.
    fn describe(&self) -> String;

    /// Draws each image's parameters and changes the images by them; `view`: float32 `[B, C, h, w]` in 0–1, as what is
    /// returned.
    ///
    /// # Errors
    /// What libtorch refuses.
    fn change(&self, view: Tensor, draws: &BatchDraws) -> Result<Tensor>;

    /// What does not go with images of so many channels or with views of this size; nothing unless stated otherwise.
    fn misfit(&self, _channels: usize, _view: Size) -> Option<Misfit> {
        None
    }
}

/// A setting that does not go with the images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its key below `augmentation`.
    pub key: &'static str,
    /// What is wrong and what was expected.
    pub message: String,
}

/// What an operation that moves pixels makes of a view: `geometry` has moved them already, in the one resampling that all
/// such operations share.
pub(super) fn done_by_geometry(view: Tensor) -> Result<Tensor> {
    Ok(view)
}

/// A smallest and a largest value in words.
pub(super) fn range([low, high]: [f64; 2]) -> String {
    format!("{low}-{high}")
}
