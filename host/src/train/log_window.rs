//! The steps that are logged together.

use super::compute::Compute;
use std::time::{Duration, Instant};
use tch::{Kind, Tensor};

/// What has gathered since the last line of the log.
pub(super) struct LogWindow {
    /// Optimiser steps done before it.
    pub since: u64,
    pub started: Instant,
    /// Time spent on fetching images and making views.
    pub waited: Duration,
    pub images: usize,
    /// Their sum, still on the device.
    pub losses: Tensor,
    /// What is logged of the last step.
    pub metrics: Vec<(String, Tensor)>,
    /// The features of the last step, `[n, D]`.
    pub features: Option<Tensor>,
}

impl LogWindow {
    pub fn new(since: u64, compute: Compute) -> Self {
        Self {
            since,
            started: Instant::now(),
            waited: Duration::ZERO,
            images: 0,
            losses: Tensor::zeros([], (Kind::Double, compute.device)),
            metrics: Vec::new(),
            features: None,
        }
    }
}
