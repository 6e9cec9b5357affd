//! DINO's loss (Caron et al. 2021).

use crate::model::{Error, Result};
use tch::Tensor;

/// The mean over all pairs of a teacher's view g and another view v of the student of H(Pₜ(g), Pₛ(v)), equation 3, where
/// H(a, b) = −Σₖ aₖ·log bₖ is averaged over the batch and Pₛ = softmax(s/τₛ), equation 1.
///
/// `student` holds the outputs s of V views, `[B, K]` each, of which the first G are those that the teacher sees, in its order;
/// `targets` holds Pₜ of these G, `[B, K]` each, by [`centred`](super::centred) or
/// [`sinkhorn_knopp`](super::sinkhorn_knopp). No gradient reaches them. The result is a scalar. Call it outside autocast.
///
/// The paper's equation 3 sums over the pairs; its algorithm 1 and its authors' code divide by their number, as is done
/// here.
///
/// # Errors
/// No pair of different views, or fewer views of the student than of the teacher; anything libtorch refuses.
pub fn dino_loss(student: &[Tensor], targets: &[Tensor], student_temperature: f64) -> Result<Tensor> {
    let (views, global) = (student.len(), targets.len());
    if global == 0 || views < 2 || views < global {
        return Err(Error::Input(format!(
            "DINO compares each view of the teacher with the student's other ones, so it needs one view of the teacher and \
             two of the student at least, and not fewer of the student: not {global} and {views}"
        )));
    }
    let log_student =
        |s: &Tensor| -> Result<Tensor> { Ok(s.f_div_scalar(student_temperature)?.f_log_softmax(-1, None)?) };
    let log_student = student.iter().map(log_student).collect::<Result<Vec<_>>>()?;
    let all = Tensor::f_stack(&log_student, 0)?.f_sum_dim_intlist(0, false, None)?;
    let mut total = Tensor::f_zeros([], (all.kind(), all.device()))?;
    for (target, same_view) in targets.iter().zip(&log_student) {
        let others = all.f_sub(same_view)?;
        total = total.f_sub(&target.f_detach()?.f_mul(&others)?.f_sum_dim_intlist(-1, false, None)?.f_mean(None)?)?;
    }
    Ok(total.f_div_scalar((global * (views - 1)) as f64)?)
}
