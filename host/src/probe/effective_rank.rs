//! A measure of dimensional collapse.

use crate::model::Result;
use tch::{Device, Kind, Tensor};

/// Most rows that are looked at.
const ROWS: i64 = 512;

/// RankMe (Garrido et al. 2023, equation 1) of `features` (`[N, D]`), of the first 512 rows where there are more:
/// exp(−Σₖ pₖ·ln pₖ) with pₖ = σₖ/Σσ + 10⁻⁷ over their singular values σ. From 1, when all lie on one line, to min(N, D),
/// when they spread evenly. A float64 scalar on the CPU.
///
/// Singular values are the roots of the eigenvalues of the smaller one of the two Gram matrices.
///
/// # Errors
/// Anything libtorch refuses, such as values that are not finite.
pub fn effective_rank(features: &Tensor) -> Result<Tensor> {
    let _no_grad = tch::no_grad_guard();
    let (rows, dim) = features.size2()?;
    let x = features.f_narrow(0, 0, rows.min(ROWS))?.f_to_kind(Kind::Double)?;
    let gram = if rows.min(ROWS) < dim { x.f_mm(&x.f_tr()?)? } else { x.f_tr()?.f_mm(&x)? };
    // A small matrix, whose eigenvalues the CPU finds as fast as a GPU.
    let sigma = gram.f_to_device(Device::Cpu)?.f_linalg_eigvalsh("L")?.f_clamp_min(0.0)?.f_sqrt()?;
    // Where all features are 0, all shares are the paper's 10⁻⁷.
    let total = sigma.f_sum(None)?.f_clamp_min(f64::MIN_POSITIVE)?;
    let p = sigma.f_div(&total)?.f_add_scalar(1e-7)?;
    Ok(p.f_special_entr()?.f_sum(None)?.f_exp()?)
}
