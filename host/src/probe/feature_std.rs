//! A measure of collapse.

use crate::model::Result;
use tch::{Kind, Tensor};

/// The standard deviation of L2-normalised `features` (`[N, D]`), averaged over the dimensions, times √D (Chen & He
/// 2021, section 4.1): about 1 for isotropic features, 0 when all are the same. A float32 scalar on their device.
///
/// # Errors
/// Anything libtorch refuses.
pub fn feature_std(features: &Tensor) -> Result<Tensor> {
    let _no_grad = tch::no_grad_guard();
    let (_, dim) = features.size2()?;
    let z = normalize(features)?;
    Ok(z.f_std_dim(0, false, false)?.f_mean(None)?.f_mul_scalar((dim as f64).sqrt())?)
}

/// Rows of length 1, float32; rows of zeros stay.
pub(super) fn normalize(features: &Tensor) -> Result<Tensor> {
    let features = features.f_to_kind(Kind::Float)?;
    Ok(features.f_div(&features.f_norm_scalaropt_dim(2, 1, true)?.f_clamp_min(1e-12)?)?)
}
