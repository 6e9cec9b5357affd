//! Where a run stands.

use super::loss_scale::LossScale;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a run stands. Written into every checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Optimiser steps done.
    pub step: u64,
    /// Epochs finished.
    pub epoch: usize,
    /// Steps done of the epoch that is not finished.
    pub step_in_epoch: usize,
    /// Sum of the losses of these steps.
    pub loss_sum: f64,
    /// In float16: what the loss is multiplied with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
    /// Scores of the untrained encoder.
    pub untrained: BTreeMap<String, f64>,
}
