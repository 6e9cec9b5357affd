//! Batch normalisation.

use selfsame_encoder_api::{Buffer, Parameter, ParameterKind, Result};
use tch::{Device, Kind, Tensor};

/// Batch normalisation over N, H and W (Ioffe and Szegedy 2015), momentum 0.1, ε = 10⁻⁵. All but the counter are `[C]`.
#[derive(Debug)]
pub struct BatchNorm2d {
    /// γ.
    weight: Tensor,
    /// β.
    bias: Tensor,
    running_mean: Tensor,
    /// Unbiased.
    running_var: Tensor,
    /// Training forwards so far, an Int64 scalar.
    num_batches_tracked: Tensor,
}

impl BatchNorm2d {
    /// γ = `scale`, β = 0, running statistics of a standard normal.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(channels: i64, scale: f64, device: Device) -> Result<Self> {
        let float = (Kind::Float, device);
        Ok(Self {
            weight: Tensor::f_full([channels], scale, float)?.f_requires_grad_(true)?,
            bias: Tensor::f_zeros([channels], float)?.f_requires_grad_(true)?,
            running_mean: Tensor::f_zeros([channels], float)?,
            running_var: Tensor::f_ones([channels], float)?,
            num_batches_tracked: Tensor::f_zeros([0_i64; 0], (Kind::Int64, device))?,
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

    /// `name.weight` and `name.bias`.
    #[must_use]
    pub fn parameters(&self, name: &str) -> [Parameter; 2] {
        [("weight", ParameterKind::Norm, &self.weight), ("bias", ParameterKind::Bias, &self.bias)].map(
            |(end, kind, tensor)| Parameter { name: format!("{name}.{end}"), kind, tensor: tensor.shallow_clone() },
        )
    }

    /// `name.running_mean`, `name.running_var` and `name.num_batches_tracked`.
    #[must_use]
    pub fn buffers(&self, name: &str) -> [Buffer; 3] {
        [
            ("running_mean", &self.running_mean),
            ("running_var", &self.running_var),
            ("num_batches_tracked", &self.num_batches_tracked),
        ]
        .map(|(end, tensor)| Buffer { name: format!("{name}.{end}"), tensor: tensor.shallow_clone() })
    }
}
