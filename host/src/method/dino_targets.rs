//! What DINO's student is to give: the teacher's outputs as distributions over prototypes, each of which keeps a part.

use crate::model::Result;
use tch::Tensor;

/// Iterations of [`sinkhorn_knopp`], those of SwAV and DINOv2.
const ITERATIONS: usize = 3;

/// Pₜ = softmax((t − c)/τₜ) of each view (Caron et al. 2021, §3.1), which keeps the batch from one prototype by taking away the
/// mean output.
///
/// `teacher` holds the views, `[B, K]` each; `centre`, c, is `[K]`, the moving average of [`centre_of`]. The results are
/// `[B, K]`, rows of sum 1, without a graph.
///
/// # Errors
/// Anything libtorch refuses.
pub fn centred(teacher: &[Tensor], centre: &Tensor, temperature: f64) -> Result<Vec<Tensor>> {
    let _no_grad = tch::no_grad_guard();
    let target = |t: &Tensor| Ok(t.f_sub(centre)?.f_div_scalar(temperature)?.f_softmax(-1, None)?);
    teacher.iter().map(target).collect()
}

/// The mean of the teacher's outputs, `[B, K]` each, over batch and views: `[K]`, without a graph. The centre moves
/// towards it, c ← m·c + (1 − m)·mean (Caron et al. 2021, equation 4).
///
/// # Errors
/// No views, shapes that differ; anything else libtorch refuses.
pub fn centre_of(teacher: &[Tensor]) -> Result<Tensor> {
    let _no_grad = tch::no_grad_guard();
    Ok(Tensor::f_cat(teacher, 0)?.f_mean_dim(0, false, None)?)
}

/// exp(t/τₜ) of all views together, its columns and its rows scaled in turn, three times each, so that every prototype has
/// nearly the same share of the batch and every row sums to 1: the algorithm of Sinkhorn and Knopp as SwAV has it (Caron et al.
/// 2020, equation 5) and DINOv2 for its teacher (Oquab et al. 2023, §4). It is done on logarithms, where nothing overflows.
///
/// `teacher` holds the views, `[B, K]` each. The results are `[B, K]`, without a graph.
///
/// # Errors
/// No views, shapes that differ; anything else libtorch refuses.
pub fn sinkhorn_knopp(teacher: &[Tensor], temperature: f64) -> Result<Vec<Tensor>> {
    let _no_grad = tch::no_grad_guard();
    let mut log_target = Tensor::f_cat(teacher, 0)?.f_div_scalar(temperature)?;
    for _ in 0..ITERATIONS {
        for over in [0, 1] {
            log_target = log_target.f_sub(&log_target.f_logsumexp([over].as_slice(), true)?)?;
        }
    }
    Ok(log_target.f_exp()?.f_chunk(teacher.len() as i64, 0)?)
}
