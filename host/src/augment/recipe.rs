//! The random operations of one view, in their order.

use super::draw::BatchDraws;
use super::geometry::{Canvas, Geometry};
use super::operation::Misfit;
use super::{AugmentError, Result};
use crate::config::schema::AugmentationConfig;
use tch::Tensor;

/// One view's settings.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    config: AugmentationConfig,
    geometry: Geometry,
}

impl Recipe {
    /// Settings for views of images with `channels` channels.
    pub fn new(config: &AugmentationConfig, channels: usize, geometry: Geometry) -> Result<Self> {
        match config.operations().find_map(|operation| operation.misfit(channels, geometry.output)) {
            Some(Misfit { key, message }) => Err(AugmentError::Setting { key: format!("augmentation.{key}"), message }),
            None => Ok(Self { config: config.clone(), geometry }),
        }
    }

    /// One random view of each image: float32 `[B, C, h, w]` in 0–1.
    pub fn apply(&self, canvas: Canvas, draws: &BatchDraws) -> Result<Tensor> {
        let view = self.geometry.train(canvas, &self.config, draws)?;
        self.config.operations().try_fold(view, |view, operation| operation.change(view, draws))
    }
}
