//! How long a run is.

use crate::config::Config;
use crate::samples::RunData;

/// The length of a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Epochs in all.
    pub epochs: u64,
    /// Steps in each.
    pub steps_per_epoch: u64,
}

impl Plan {
    /// As the configuration says; images that fill no batch are left for another epoch.
    pub fn new(config: &Config, data: &RunData) -> Self {
        Self {
            epochs: config.scheduler.epochs as u64,
            steps_per_epoch: (data.mixture.epoch_len() / config.train.batch_size) as u64,
        }
    }
}
