//! Two measures of collapse, together.

use super::{effective_rank, feature_std};
use crate::metric::{EFFECTIVE_RANK, FEATURE_STD, Metric};
use crate::model::Result;
use tch::Tensor;

/// How far features spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// [`feature_std`].
    pub std: f64,
    /// [`effective_rank`].
    pub effective_rank: f64,
}

impl Spread {
    /// Of features `[N, D]`; waits for their device. Both are NaN where a feature is.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn of(features: &Tensor) -> Result<Self> {
        let std = f64::try_from(feature_std(features)?)?;
        let effective_rank = if std.is_finite() { f64::try_from(effective_rank(features)?)? } else { std };
        Ok(Self { std, effective_rank })
    }

    /// Both with the metrics that they are.
    #[must_use]
    pub fn metrics(self) -> [(&'static Metric, f64); 2] {
        [(&FEATURE_STD, self.std), (&EFFECTIVE_RANK, self.effective_rank)]
    }
}
