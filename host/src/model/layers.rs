//! The layers of heads, with PyTorch's names, shapes and standard initialisation.

use super::Result;
use selfsame_encoder_api::{Buffer, Parameter, ParameterKind};
use tch::{Device, Kind, Tensor};

/// An affine map, `[B, in] → [B, out]`, or a linear one without bias.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Weight (`[out, in]`) and bias (`[out]`) drawn from U(−1/√in, 1/√in): Kaiming-uniform with a = √5, PyTorch's
    /// default. Draws from libtorch's global generator.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(in_dim: i64, out_dim: i64, device: Device) -> Result<Self> {
        let layer = Self::without_bias(in_dim, out_dim, device)?;
        Ok(Self { bias: Some(uniform(&[out_dim], in_dim, device)?), ..layer })
    }

    /// As [`new`](Self::new), without a bias.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn without_bias(in_dim: i64, out_dim: i64, device: Device) -> Result<Self> {
        Ok(Self { weight: uniform(&[out_dim, in_dim], in_dim, device)?, bias: None })
    }

    /// `x` (`[B, in]`) times the transposed weight plus the bias, `[B, out]`.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as another length of `x`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
    }

    /// `weight` and, where there is one, `bias`.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let weight = parameter("weight", ParameterKind::Weight, &self.weight);
        let bias = self.bias.iter().map(|bias| parameter("bias", ParameterKind::Bias, bias));
        std::iter::once(weight).chain(bias).collect()
    }
}

/// A linear map whose rows have length 1, `[B, in] → [B, out]`: weight normalisation (Salimans & Kingma 2016, equation 2)
/// with the length g fixed at 1.
#[derive(Debug)]
pub struct WeightNorm {
    direction: Tensor,
}

impl WeightNorm {
    /// Directions (`[out, in]`) drawn as the weight of [`Linear::new`].
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(in_dim: i64, out_dim: i64, device: Device) -> Result<Self> {
        Ok(Self { direction: uniform(&[out_dim, in_dim], in_dim, device)? })
    }

    /// The products of `x` (`[B, in]`) with the rows, `[B, out]`.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as another length of `x`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear::<Tensor>(&normalized(&self.direction)?, None)?)
    }

    /// `weight_v`, the rows before they are normalised.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        vec![parameter("weight_v", ParameterKind::Weight, &self.direction)]
    }
}

/// Each row divided by its Euclidean length, at least 1e-12; `[N, D]`.
///
/// # Errors
/// Anything libtorch refuses.
pub fn normalized(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_div(&x.f_norm_scalaropt_dim(2, 1, true)?.f_clamp_min(1e-12)?)?)
}

/// A trainable tensor drawn from U(−1/√in, 1/√in).
fn uniform(size: &[i64], in_dim: i64, device: Device) -> Result<Tensor> {
    let bound = 1.0 / (in_dim as f64).sqrt();
    let values = Tensor::f_empty(size, (Kind::Float, device))?.f_uniform_(-bound, bound)?;
    Ok(values.f_set_requires_grad(true)?)
}

fn parameter(name: &str, kind: ParameterKind, tensor: &Tensor) -> Parameter {
    Parameter { name: name.into(), kind, tensor: tensor.shallow_clone() }
}

/// Batch normalisation of `[B, D]` (Ioffe & Szegedy 2015), momentum 0.1, ε = 1e-5.
#[derive(Debug)]
pub struct BatchNorm1d {
    /// Scale and shift; none where the result stays normalised.
    affine: Option<(Tensor, Tensor)>,
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
        let scale = Tensor::f_ones(dim, options)?.f_set_requires_grad(true)?;
        let shift = Tensor::f_zeros(dim, options)?.f_set_requires_grad(true)?;
        Ok(Self { affine: Some((scale, shift)), ..Self::without_affine(dim, device)? })
    }

    /// As [`new`](Self::new), without scale and shift.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn without_affine(dim: i64, device: Device) -> Result<Self> {
        let options = (Kind::Float, device);
        Ok(Self {
            affine: None,
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
        let (weight, bias) =
            (self.affine.as_ref().map(|(scale, _)| scale), self.affine.as_ref().map(|(_, shift)| shift));
        let (mean, var) = (Some(&self.running_mean), Some(&self.running_var));
        Ok(x.f_batch_norm(weight, bias, mean, var, train, 0.1, 1e-5, true)?)
    }

    /// `weight` and `bias`, where it has them.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let Some((scale, shift)) = &self.affine else { return Vec::new() };
        vec![parameter("weight", ParameterKind::Norm, scale), parameter("bias", ParameterKind::Bias, shift)]
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
