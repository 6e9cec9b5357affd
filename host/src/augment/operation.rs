//! What the views know of a random operation.

use super::Result;
use super::draw::BatchDraws;
use crate::data::Size;
use tch::Tensor;

/// What an operation does to a batch by the numbers that it has drawn: float32 `[B, C, h, w]` in 0–1 before and after. It
/// fails where libtorch refuses.
pub type Apply = Box<dyn Fn(Tensor) -> Result<Tensor> + Send>;

/// A random operation, which its settings are. `AugmentationConfig` lists all of them in the order in which they run.
pub trait Operation {
    /// What is done and what decides about it, in a few words for people who look at views.
    fn describe(&self) -> String;

    /// Draws the parameters of each image of a batch, whose views have so many channels and this size; what comes back
    /// changes the images by them.
    fn draw(&self, draws: &BatchDraws, channels: usize, view: Size) -> Apply;

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
pub(super) fn done_by_geometry() -> Apply {
    Box::new(Ok)
}

/// A smallest and a largest value in words.
pub(super) fn range([low, high]: [f64; 2]) -> String {
    format!("{low}-{high}")
}
