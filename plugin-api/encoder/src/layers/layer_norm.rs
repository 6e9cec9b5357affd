//! Layer normalisation.

use super::Layers;
use crate::{ParameterKind, Result};
use tch::Tensor;

/// Layer normalisation (Ba, Kiros, Hinton 2016) of the last dimension; made by [`Layers::layer_norm`].
#[derive(Debug)]
pub struct LayerNorm {
    /// γ, `[D]`.
    weight: Tensor,
    /// β, `[D]`.
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    pub(super) fn new(layers: &mut Layers, name: &str, dim: i64, epsilon: f64) -> Result<Self> {
        let zeros = layers.zeros(&[dim])?;
        let weight = layers.parameter(&format!("{name}.weight"), ParameterKind::Norm, &zeros.f_ones_like()?)?;
        let bias = layers.parameter(&format!("{name}.bias"), ParameterKind::Bias, &zeros)?;
        Ok(Self { weight, bias, epsilon })
    }

    /// `[…, D]` to the same.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.epsilon, true)?)
    }

    /// The channels of `[B, D, H, W]` at each place.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn forward2d(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.forward(&x.f_permute([0, 2, 3, 1])?)?.f_permute([0, 3, 1, 2])?)
    }
}
