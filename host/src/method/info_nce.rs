//! InfoNCE (van den Oord et al. 2018) as the two MoCos use it: a query is to find its key among others.

use crate::model::{Result, normalized};
use tch::Tensor;

/// MoCo's loss with a queue (He et al. 2020, equation 1): the mean over the queries q of
/// −log( exp(q·k⁺/τ) / (exp(q·k⁺/τ) + Σₖ exp(q·k/τ)) ), with k over the queue.
///
/// `queries` and `keys` are `[B, d]`, row by row the same images, of any length: they are scaled to 1. `queue` is `[K, d]`,
/// keys of earlier batches whose rows have length 1 already. Neither keys nor queue get a gradient. The result is a
/// scalar, 0 when the queue is empty. Call it outside autocast.
///
/// # Errors
/// Shapes that do not fit; anything else libtorch refuses.
pub fn queue_loss(queries: &Tensor, keys: &Tensor, queue: &Tensor, temperature: f64) -> Result<Tensor> {
    let (q, k) = (normalized(queries)?, normalized(&keys.f_detach()?)?);
    let positive = q.f_mul(&k)?.f_sum_dim_intlist(1, true, None)?;
    let negative = q.f_mm(&queue.f_detach()?.f_tr()?)?;
    let logits = Tensor::f_cat(&[&positive, &negative], 1)?.f_div_scalar(temperature)?;
    cross_entropy(&logits, &logits.f_select(1, 0)?)
}

/// MoCo v3's loss (Chen, Xie & He 2021, algorithm 1, `ctr`): 2τ times the mean over the queries q of
/// −log( exp(q·k⁺/τ) / Σₖ exp(q·k/τ) ), with k over the batch's keys, k⁺ among them.
///
/// `queries` and `keys` are `[B, d]`, row by row the same images, of any length: they are scaled to 1. The keys get no
/// gradient. The result is a scalar; the whole loss is the sum of both directions. Call it outside autocast.
///
/// # Errors
/// Shapes that differ; anything else libtorch refuses.
pub fn batch_loss(queries: &Tensor, keys: &Tensor, temperature: f64) -> Result<Tensor> {
    let (q, k) = (normalized(queries)?, normalized(&keys.f_detach()?)?);
    let logits = q.f_mm(&k.f_tr()?)?.f_div_scalar(temperature)?;
    Ok(cross_entropy(&logits, &logits.f_diagonal(0, 0, 1)?)?.f_mul_scalar(2.0 * temperature)?)
}

/// The mean over rows of log Σ exp(`logits`) − `right`, where `logits` is `[B, C]` and `right`, `[B]`, holds those of the
/// right classes.
fn cross_entropy(logits: &Tensor, right: &Tensor) -> Result<Tensor> {
    Ok(logits.f_logsumexp(1, false)?.f_sub(right)?.f_mean(None)?)
}
