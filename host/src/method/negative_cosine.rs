//! SimSiam's loss (Chen & He 2021).

use crate::model::Result;
use tch::Tensor;

/// D(p, stopgrad(z)): the mean over rows of −cos(p, z), equations 1 and 3; `[B, d]` each, a scalar in [−1, 1].
///
/// No gradient reaches `z`. The whole loss is ½·D(p₁, z₂) + ½·D(p₂, z₁), equation 4. Call it outside autocast.
///
/// # Errors
/// Shapes that differ; anything else libtorch refuses.
pub fn negative_cosine(p: &Tensor, z: &Tensor) -> Result<Tensor> {
    Ok(Tensor::f_cosine_similarity(p, &z.f_detach()?, 1, 1e-8)?.f_mean(None)?.f_neg()?)
}
