//! The two terms of LeJEPA (Balestriero & LeCun 2025, arXiv 2511.08544, third version).
//!
//! The loss of a batch is (1 − λ)·[`lejepa_prediction`] + λ·(the mean over all views of [`sigreg`]), equation 9; λ = 0.05 is
//! the paper's recommendation.

use crate::model::{Error, Result};
use tch::Tensor;

/// Knots of the quadrature in [0, 5]; with their mirror images these are the paper's 17 in [−5, 5].
const KNOTS: i64 = 9;
const LAST_KNOT: f64 = 5.0;

/// SIGReg, how far `z` is from a standard normal distribution: the mean over directions a of the Epps-Pulley statistic
/// N·∫ |φ̂(t) − exp(−t²/2)|²·exp(−t²/2) dt, where φ̂(t) = (1/N)·Σₙ exp(i·t·a·zₙ), section 4.2.3 and algorithm 1.
///
/// `z` is `[N, d]`, one view's projections; `directions` is `[d, M]`, whose columns have length 1, and gets no gradient. The
/// paper draws M = 256 in its algorithm and recommends 1024, new ones in each step, the same for all views. The result
/// is a scalar: about 1.06 for standard normal `z`, whatever N and d, and 0.41·N where all rows are 0. Call it outside
/// autocast.
///
/// The integral is the trapezoid rule over 17 knots in [−5, 5], as in the paper's algorithm. The integrand is even, so the
/// nine that are not negative give the same value. The authors' code has 17 knots in [0, 3], which is 33 in [−3, 3]; by
/// the paper's table 1 neither matters.
///
/// # Errors
/// Shapes that do not fit; anything else libtorch refuses.
pub fn sigreg(z: &Tensor, directions: &Tensor) -> Result<Tensor> {
    let (rows, _) = z.size2()?;
    let t = Tensor::f_linspace(0.0, LAST_KNOT, KNOTS, (z.kind(), z.device()))?;
    let normal = t.f_square()?.f_mul_scalar(-0.5)?.f_exp()?;
    // Both halves together: every knot but the ends counts twice, at a distance of h.
    let weights = normal.f_mul_scalar(2.0 * LAST_KNOT / (KNOTS - 1) as f64)?;
    for end in [0, KNOTS - 1] {
        let _ = weights.f_select(0, end)?.f_mul_scalar_(0.5)?;
    }
    let angles = z.f_mm(&directions.f_detach()?)?.f_unsqueeze(-1)?.f_mul(&t)?;
    let real = angles.f_cos()?.f_mean_dim(0, false, None)?.f_sub(&normal)?;
    let imaginary = angles.f_sin()?.f_mean_dim(0, false, None)?;
    let distance = real.f_square()?.f_add(&imaginary.f_square()?)?;
    Ok(distance.f_mv(&weights)?.f_mean(None)?.f_mul_scalar(rows as f64)?)
}

/// The mean over views, rows and dimensions of (zᵥ − μ)², where μ is the mean of the `global` views, equations 7 and 8.
///
/// `global` are some views' projections, `[B, d]` each, and `all` those of all views, the global ones among them. The
/// gradient flows through μ as well: nothing is detached. The result is a scalar. Call it outside autocast.
///
/// The paper's equations sum over d; its algorithm 2 and its authors' code average, as is done here. For ResNets and other
/// networks that are no ViTs, algorithm 2 takes all views for global ones.
///
/// # Errors
/// No views; shapes that differ; anything else libtorch refuses.
pub fn lejepa_prediction(global: &[Tensor], all: &[Tensor]) -> Result<Tensor> {
    if global.is_empty() || all.is_empty() {
        return Err(Error::Input("LeJEPA compares views with the mean of the global ones, and there are none".into()));
    }
    let centre = Tensor::f_stack(global, 0)?.f_mean_dim(0, true, None)?;
    Ok(Tensor::f_stack(all, 0)?.f_sub(&centre)?.f_square()?.f_mean(None)?)
}
