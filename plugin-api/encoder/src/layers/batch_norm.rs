//! Batch normalisation.

use super::Layers;
use crate::{ParameterKind, Result};
use tch::{Device, Kind, Tensor};

/// Batch normalisation over N, H and W (Ioffe and Szegedy 2015), momentum 0.1, ε = 10⁻⁵; made by
/// [`Layers::batch_norm2d`]. All but the counter are `[C]`.
#[derive(Debug)]
pub struct BatchNorm2d {
    /// γ.
    weight: Tensor,
    /// β.
    bias: Tensor,
    running_mean: Tensor,
    /// Unbiased.
    running_var: Tensor,
    /// Training forwards so far, an Int64 scalar. It stays on the CPU: counting on a GPU would be a launch for each layer.
    num_batches_tracked: Tensor,
}

impl BatchNorm2d {
    pub(super) fn new(layers: &mut Layers, name: &str, channels: i64, scale: f64) -> Result<Self> {
        let zeros = layers.zeros(&[channels])?;
        let ones = zeros.f_ones_like()?;
        let counter = Tensor::f_zeros([0_i64; 0], (Kind::Int64, Device::Cpu))?;
        let of = |end: &str| format!("{name}.{end}");
        Ok(Self {
            weight: layers.parameter(&of("weight"), ParameterKind::Norm, &zeros.f_full_like(scale)?)?,
            bias: layers.parameter(&of("bias"), ParameterKind::Bias, &zeros)?,
            running_mean: layers.buffer(&of("running_mean"), &layers.zeros(&[channels])?)?,
            running_var: layers.buffer(&of("running_var"), &ones)?,
            num_batches_tracked: layers.buffer_on(Device::Cpu, &of("num_batches_tracked"), &counter)?,
        })
    }

    /// Normalises `[B, C, H, W]`: with the batch's statistics when `train`, which also moves the running ones.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as another number of channels.
    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if train {
            let _ = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
        }
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let (mean, variance) = (Some(&self.running_mean), Some(&self.running_var));
        Ok(x.f_batch_norm(weight, bias, mean, variance, train, 0.1, 1e-5, true)?)
    }

    /// [`forward`](Self::forward), then ReLU.
    ///
    /// # Errors
    /// As there.
    pub fn forward_relu(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        Ok(self.forward(x, train)?.f_relu_()?)
    }
}
