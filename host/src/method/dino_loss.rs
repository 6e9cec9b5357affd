//! DINO's loss (Caron et al. 2021).

use crate::model::{Error, Result};
use tch::Tensor;

/// The mean over all pairs of a teacher's view g and another view v of the student of H(Pₜ(g), Pₛ(v)), equation 3, where
/// H(a, b) = −Σₖ aₖ·log bₖ is averaged over the batch, Pₛ = softmax(s/τₛ), equation 1, and Pₜ = softmax((t − c)/τₜ).
///
/// `student` holds V views, `[B, K]` each, of which the first G are those that the teacher sees, in its order; `teacher`
/// holds these G. `centre`, c, is `[K]`, the moving average of [`centre_of`]. No gradient reaches teacher and centre. The
/// result is a scalar. Call it outside autocast.
///
/// The paper's equation 3 sums over the pairs; its algorithm 1 and its authors' code divide by their number, as is done
/// here.
///
/// # Errors
/// No pair of different views, or fewer views of the student than of the teacher; anything libtorch refuses.
pub fn dino_loss(
    student: &[Tensor],
    teacher: &[Tensor],
    centre: &Tensor,
    student_temperature: f64,
    teacher_temperature: f64,
) -> Result<Tensor> {
    let (views, global) = (student.len(), teacher.len());
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
    for (t, same_view) in teacher.iter().zip(&log_student) {
        let target = t.f_detach()?.f_sub(centre)?.f_div_scalar(teacher_temperature)?.f_softmax(-1, None)?.f_detach()?;
        let others = all.f_sub(same_view)?;
        total = total.f_sub(&target.f_mul(&others)?.f_sum_dim_intlist(-1, false, None)?.f_mean(None)?)?;
    }
    Ok(total.f_div_scalar((global * (views - 1)) as f64)?)
}

/// The mean of the teacher's outputs, `[B, K]` each, over batch and views: `[K]`, without a graph. The centre moves
/// towards it, c ← m·c + (1 − m)·mean, equation 4.
///
/// # Errors
/// No views, shapes that differ; anything else libtorch refuses.
pub fn centre_of(teacher: &[Tensor]) -> Result<Tensor> {
    let _no_grad = tch::no_grad_guard();
    Ok(Tensor::f_cat(teacher, 0)?.f_mean_dim(0, false, None)?)
}
