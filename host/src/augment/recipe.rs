//! The random operations of one kind of view, in their order.

use super::draw::BatchDraws;
use super::geometry::{Canvas, Geometry, Placed};
use super::operation::{Apply, Misfit};
use super::{AugmentError, Result};
use crate::config::schema::{AugmentationConfig, ResolvedView};
use crate::data::Size;
use tch::Tensor;

/// The settings of one kind of view.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    settings: AugmentationConfig,
    geometry: Geometry,
}

/// What is random about the views of a batch by one recipe.
pub(super) struct DrawnView {
    placed: Placed,
    changes: Vec<Apply>,
}

impl Recipe {
    /// Settings for views of images with `channels` channels, which `common` says the size of unless they state one.
    pub fn new(view: &ResolvedView, channels: usize, common: Geometry) -> Result<Self> {
        let ResolvedView { section, settings, size, .. } = view;
        let geometry = size.map_or(common, |side| common.resized(side));
        let misfits = settings.operations().filter_map(|operation| operation.misfit(channels, geometry.output));
        let mut misfits = misfits.collect::<Vec<_>>().into_iter();
        let Some(Misfit { key, message }) = misfits.next() else {
            return Ok(Self { settings: settings.clone(), geometry });
        };
        let other = |other: Misfit| match other.message == message {
            true => format!(", and {section}.{} too", other.key),
            false => format!("; {section}.{}: {}", other.key, other.message),
        };
        let others: String = misfits.map(other).collect();
        Err(AugmentError::Setting { key: format!("{section}.{key}"), message: format!("{message}{others}") })
    }

    /// The size of a view.
    pub fn output(&self) -> Size {
        self.geometry.output
    }

    /// Draws a random view of each image, for images of these sizes with so many channels.
    pub fn draw(&self, sizes: &[Size], channels: usize, draws: &BatchDraws) -> DrawnView {
        let operations = self.settings.operations();
        DrawnView {
            placed: self.geometry.draw(sizes, &self.settings, draws),
            changes: operations.map(|operation| operation.draw(draws, channels, self.output())).collect(),
        }
    }

    /// The view of each image of the canvas that was drawn: float32 `[B, C, h, w]` in 0–1.
    pub fn apply(&self, canvas: Canvas, drawn: &DrawnView) -> Result<Tensor> {
        let view = self.geometry.train(canvas, &self.settings, &drawn.placed)?;
        drawn.changes.iter().try_fold(view, |view, change| change(view))
    }
}
