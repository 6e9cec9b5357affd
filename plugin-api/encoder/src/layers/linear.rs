//! Linear maps.

use super::{Init, Layers};
use crate::{ParameterKind, Result};
use tch::Tensor;

/// A linear map with a bias; made by [`Layers::linear`].
#[derive(Debug)]
pub struct Linear {
    /// `[out, in]`.
    weight: Tensor,
    /// `[out]`.
    bias: Tensor,
}

impl Linear {
    pub(super) fn new(layers: &mut Layers, name: &str, inputs: i64, outputs: i64, init: Init) -> Result<Self> {
        let size = [outputs, inputs];
        let weight = layers.parameter(&format!("{name}.weight"), ParameterKind::Weight, &init.weight(&size)?)?;
        let bias = layers.parameter(&format!("{name}.bias"), ParameterKind::Bias, &init.bias(&size)?)?;
        Ok(Self { weight, bias })
    }

    /// `[…, in]` to `[…, out]`.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }
}
