//! NT-Xent, the normalised temperature-scaled cross-entropy (Chen et al. 2020, equation 1).

use crate::model::{Error, Result, normalized};
use tch::{Kind, Tensor};

/// The mean over all 2N rows i of −log( exp(sᵢⱼ/τ) / Σₖ≠ᵢ exp(sᵢₖ/τ) ), where s is the cosine similarity.
///
/// `z` is `[2N, d]` of any float kind; rows i and i + N are the two views of one image. The result is a float32 scalar.
/// A row is never its own negative: the diagonal is masked, not subtracted. Call it outside autocast.
///
/// # Errors
/// An odd number of rows; anything libtorch refuses.
pub fn nt_xent(z: &Tensor, temperature: f64) -> Result<Tensor> {
    let (rows, _) = z.size2()?;
    if rows == 0 || rows % 2 != 0 {
        return Err(Error::Input(format!(
            "NT-Xent needs two views of each image, so an even number of rows, not {rows}"
        )));
    }
    let z = normalized(&z.f_to_kind(Kind::Float)?)?;
    let s = z.f_mm(&z.f_tr()?)?.f_div_scalar(temperature)?;
    let itself = Tensor::f_eye(rows, (Kind::Bool, z.device()))?;
    let log_denominator = s.f_masked_fill(&itself, f64::NEG_INFINITY)?.f_logsumexp(1, false)?;
    let positive = s.f_diagonal(rows / 2, 0, 1)?;
    Ok(log_denominator.f_mean(None)?.f_sub(&positive.f_mean(None)?)?)
}
