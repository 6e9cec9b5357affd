//! Clipping of gradients by their global norm (Pascanu et al. 2013, algorithm 1).

use super::gradients;
use crate::model::Result;
use crate::native::lists::{foreach_mul_tensor_, foreach_norm};
use selfsame_encoder_api::Parameter;
use tch::{Kind, Tensor};

/// Scales all gradients by min(1, `max_norm` / (n + 1e-6)), where n is the L2 norm of all of them together, as PyTorch's
/// `clip_grad_norm_` does. Returns n, a scalar on the gradients' device, without waiting for it.
///
/// # Errors
/// Anything libtorch refuses.
pub fn clip_gradients(parameters: &[Parameter], max_norm: f64) -> Result<Tensor> {
    let _no_grad = tch::no_grad_guard();
    let (_, mut gradients) = gradients(parameters)?;
    if gradients.is_empty() {
        return Ok(Tensor::from(0.0_f32));
    }
    let norm = Tensor::f_stack(&foreach_norm(&gradients)?, 0)?.f_norm_scalaropt_dim(2, 0, false)?;
    let factor = norm.f_add_scalar(1e-6)?.f_reciprocal()?.f_mul_scalar(max_norm)?.f_clamp_max(1.0)?;
    foreach_mul_tensor_(&mut gradients, &factor.f_to_kind(Kind::Float)?)?;
    Ok(norm)
}
