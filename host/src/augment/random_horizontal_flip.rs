//! Random horizontal flip, which the resampling does; see `geometry`.

use super::draw::BatchDraws;
use super::operation::{Apply, Operation, done_by_geometry};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

    fn draw(&self, _: &BatchDraws, _: usize, _: Size) -> Apply {
        done_by_geometry()
    }
}
