//! Learning rate and weight decay over a run. The learning rate: linear warm-up, then half a cosine (Loshchilov & Hutter 2017,
//! equation 5).

use crate::config::schema::{LrScaling, OptimizerConfig, SchedulerConfig};
use std::f64::consts::PI;

/// The learning rate of every step; a pure function, so resuming needs no state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    peak: f64,
    last: f64,
    warmup_steps: u64,
    total_steps: u64,
}

impl Schedule {
    /// The peak is `base_lr`, times `batch_size` / 256 under linear scaling. The run has T = `epochs` ×
    /// `steps_per_epoch` steps, of which W = round(`warmup_epochs` × `steps_per_epoch`) warm up.
    #[must_use]
    pub fn new(
        config: &SchedulerConfig,
        base_lr: f64,
        scaling: LrScaling,
        batch_size: usize,
        steps_per_epoch: u64,
    ) -> Self {
        let peak = match scaling {
            LrScaling::None => base_lr,
            LrScaling::Linear => base_lr * batch_size as f64 / 256.0,
        };
        Self {
            peak,
            last: peak * config.final_lr_fraction,
            warmup_steps: (config.warmup_epochs * steps_per_epoch as f64).round() as u64,
            total_steps: config.epochs as u64 * steps_per_epoch,
        }
    }

    /// The largest learning rate.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// T, the steps of the whole run.
    #[must_use]
    pub fn total_steps(&self) -> u64 {
        self.total_steps
    }

    /// The learning rate of step s in 0..T.
    ///
    /// Warm-up, s < W: peak · (s + 1) / W, so the first step moves and step W − 1 has the peak. Then last +
    /// (peak − last) · (1 + cos(π·(s − W)/(T − W))) / 2, where last is peak × `final_lr_fraction`: step W has the peak,
    /// and `last` would be reached at step T. Later steps stay at `last`.
    #[must_use]
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        if step >= self.total_steps {
            return self.last;
        }
        let progress = (step - self.warmup_steps) as f64 / (self.total_steps - self.warmup_steps) as f64;
        self.last + (self.peak - self.last) * 0.5 * (1.0 + (PI * progress).cos())
    }
}

/// The weight decay of every step; a pure function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecaySchedule {
    first: f64,
    last: f64,
    total_steps: u64,
}

impl DecaySchedule {
    /// From `weight_decay` to `final_weight_decay`, where that is set, over so many steps.
    #[must_use]
    pub fn new(config: &OptimizerConfig, total_steps: u64) -> Self {
        let first = config.weight_decay;
        Self { first, last: config.final_weight_decay.unwrap_or(first), total_steps }
    }

    /// last + (first − last) · (1 + cos(πs/T)) / 2 at step s of T (Caron et al. 2021, section 3.2).
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        if self.first == self.last {
            return self.first;
        }
        let progress = step.min(self.total_steps) as f64 / self.total_steps as f64;
        self.last + (self.first - self.last) * 0.5 * (1.0 + (PI * progress).cos())
    }
}
