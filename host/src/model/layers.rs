//! The layers of heads, with PyTorch's names, shapes and standard initialisation.

use super::Result;
use selfsame_encoder_api::{Buffer, Parameter, ParameterKind};
use tch::{Device, Kind, Tensor};

/// An affine map, `[B, in] → [B, out]`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Weight (`[out, in]`) and bias (`[out]`) drawn from U(−1/√in, 1/√in): Kaiming-uniform with a = √5, PyTorch's
    /// default. Draws from libtorch's global generator.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(in_dim: i64, out_dim: i64, device: Device) -> Result<Self> {
        let bound = 1.0 / (in_dim as f64).sqrt();
        let uniform = |size: &[i64]| -> Result<Tensor> {
            let values = Tensor::f_empty(size, (Kind::Float, device))?.f_uniform_(-bound, bound)?;
            Ok(values.f_set_requires_grad(true)?)
        };
        Ok(Self { weight: uniform(&[out_dim, in_dim])?, bias: uniform(&[out_dim])? })
    }

    /// `x` (`[B, in]`) times the transposed weight plus the bias, `[B, out]`.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as another length of `x`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }

    /// `weight` and `bias`.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        vec![
            Parameter { name: "weight".into(), kind: ParameterKind::Weight, tensor: self.weight.shallow_clone() },
            Parameter { name: "bias".into(), kind: ParameterKind::Bias, tensor: self.bias.shallow_clone() },
        ]
    }
}

/// Batch normalisation of `[B, D]` (Ioffe & Szegedy 2015), momentum 0.1, ε = 1e-5.
#[derive(Debug)]
pub struct BatchNorm1d {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm1d {
    /// Scale 1, shift 0, running mean 0 and variance 1, each `[D]`.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(dim: i64, device: Device) -> Result<Self> {
        let options = (Kind::Float, device);
        Ok(Self {
            weight: Tensor::f_ones(dim, options)?.f_set_requires_grad(true)?,
            bias: Tensor::f_zeros(dim, options)?.f_set_requires_grad(true)?,
            running_mean: Tensor::f_zeros(dim, options)?,
            running_var: Tensor::f_ones(dim, options)?,
        })
    }

    /// Normalises `x` (`[B, D]`): by the batch when `train` (which also moves the running statistics), else by the
    /// running statistics.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a training batch of one.
    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let (mean, var) = (Some(&self.running_mean), Some(&self.running_var));
        Ok(x.f_batch_norm(weight, bias, mean, var, train, 0.1, 1e-5, true)?)
    }

    /// `weight` and `bias`.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        vec![
            Parameter { name: "weight".into(), kind: ParameterKind::Norm, tensor: self.weight.shallow_clone() },
            Parameter { name: "bias".into(), kind: ParameterKind::Bias, tensor: self.bias.shallow_clone() },
        ]
    }

    /// `running_mean` and `running_var`.
    #[must_use]
    pub fn buffers(&self) -> Vec<Buffer> {
        vec![
            Buffer { name: "running_mean".into(), tensor: self.running_mean.shallow_clone() },
            Buffer { name: "running_var".into(), tensor: self.running_var.shallow_clone() },
        ]
    }
}
