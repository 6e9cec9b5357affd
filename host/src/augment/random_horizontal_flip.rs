//! Random horizontal flip, which the resampling does; see `geometry`.

use super::Result;
use super::draw::BatchDraws;
use super::operation::{Operation, done_by_geometry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Horizontal flip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HorizontalFlipConfig {
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for HorizontalFlipConfig {
    fn default() -> Self {
        Self { prob: 0.5 }
    }
}

impl Operation for HorizontalFlipConfig {
    fn describe(&self) -> String {
        format!("flip p {}", self.prob)
    }

    fn change(&self, view: Tensor, _: &BatchDraws) -> Result<Tensor> {
        done_by_geometry(view)
    }
}
