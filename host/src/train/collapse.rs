//! Collapse of the features, seen while it happens.

use crate::error::Error;
use crate::metric::{self, Metric};
use crate::probe::{Spread, Warnings, caveats};
use std::collections::BTreeMap;
use tch::Tensor;

/// How far the features of a training batch (`[n, D]`) spread, by metric name; warns where they hardly do.
///
/// # Errors
/// Anything libtorch refuses.
pub(super) fn of_batch(features: &Tensor, warnings: &mut Warnings) -> Result<[(String, f64); 2], Error> {
    let spread = Spread::of(features)?;
    caveats::of_features(spread).into_iter().for_each(|warning| warnings.warn(warning));
    let spread = [(&metric::BATCH_FEATURE_STD, spread.std), (&metric::BATCH_EFFECTIVE_RANK, spread.effective_rank)];
    Ok(spread.map(|(metric, value)| (metric.name.to_owned(), value)))
}

/// Warns where the features of the scored images hardly spread.
pub(super) fn of_scores(metrics: &BTreeMap<String, f64>, warnings: &mut Warnings) {
    let of = |metric: &Metric| metrics.get(metric.name).copied();
    if let (Some(std), Some(effective_rank)) = (of(&metric::FEATURE_STD), of(&metric::EFFECTIVE_RANK)) {
        let warning = caveats::of_features(Spread { std, effective_rank });
        warning.into_iter().for_each(|warning| warnings.warn(warning));
    }
}
