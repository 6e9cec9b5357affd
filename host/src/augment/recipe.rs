//! The random operations of one kind of view, in their order.

use super::draw::BatchDraws;
use super::geometry::{Canvas, Geometry};
use super::operation::Misfit;
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

    /// A random view of each image of the canvas, by its own draws: float32 `[B, C, h, w]` in 0–1.
    pub fn apply(&self, canvas: Canvas, draws: &BatchDraws) -> Result<Tensor> {
        let view = self.geometry.train(canvas, &self.settings, draws)?;
        self.settings.operations().try_fold(view, |view, operation| operation.change(view, draws))
    }
}
