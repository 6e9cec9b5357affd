//! The momentum of networks that follow, over a run.

use super::StepContext;
use std::f64::consts::PI;

/// 1 − (1 − `base`) · (cos(πk/K) + 1)/2 at step k of K: from `base` to 1 by half a cosine (Grill et al. 2020, appendix
/// J.1). A function of the step, so that a resumed run needs no state of its own.
#[must_use]
pub fn rising_momentum(base: f64, context: &StepContext) -> f64 {
    let progress = context.step as f64 / context.total_steps as f64;
    1.0 - (1.0 - base) * ((PI * progress).cos() + 1.0) / 2.0
}
