//! The layers of a vision transformer, with timm's initialisation.
//!
//! All initial weights are drawn on the CPU, so that a seed gives the same ones on every device.

use selfsame_encoder_api::{Parameter, ParameterKind, Result};
use tch::{Device, Kind, Tensor};

/// Standard deviation of linear weights and position embeddings.
const DEVIATION: f64 = 0.02;

/// A trainable tensor drawn from N(0, `deviation`²).
///
/// timm truncates at ±2, a hundred standard deviations away, which no draw reaches.
pub fn normal(size: &[i64], deviation: f64, device: Device) -> Result<Tensor> {
    let mut values = Tensor::f_empty(size, (Kind::Float, Device::Cpu))?;
    trainable(&values.f_normal_(0.0, deviation)?, device)
}

/// A position embedding, `[1, tokens, dim]`.
pub fn position_embedding(tokens: i64, dim: i64, device: Device) -> Result<Tensor> {
    normal(&[1, tokens, dim], DEVIATION, device)
}

fn trainable(values: &Tensor, device: Device) -> Result<Tensor> {
    Ok(values.f_to_device(device)?.f_requires_grad_(true)?)
}

/// A weight and a bias; what they do is said by the one who holds them.
pub struct Affine {
    /// `[out, in]`, `[out, in, kernel, kernel]`, or γ, `[D]`.
    pub weight: Tensor,
    /// `[out]`, or β, `[D]`.
    pub bias: Tensor,
    kind: ParameterKind,
}

impl Affine {
    /// A linear map: weight from N(0, 0.02²), bias 0.
    pub fn linear(inputs: i64, outputs: i64, device: Device) -> Result<Self> {
        let weight = normal(&[outputs, inputs], DEVIATION, device)?;
        let bias = trainable(&Tensor::f_zeros([outputs], (Kind::Float, device))?, device)?;
        Ok(Self { weight, bias, kind: ParameterKind::Weight })
    }

    /// A convolution over patches: weight and bias from U(−1/√n, 1/√n) with n = in · kernel², PyTorch's default.
    pub fn patches(inputs: i64, outputs: i64, kernel: i64, device: Device) -> Result<Self> {
        let bound = 1.0 / ((inputs * kernel * kernel) as f64).sqrt();
        let uniform = |size: &[i64]| -> Result<Tensor> {
            let mut values = Tensor::f_empty(size, (Kind::Float, Device::Cpu))?;
            trainable(&values.f_uniform_(-bound, bound)?, device)
        };
        let weight = uniform(&[outputs, inputs, kernel, kernel])?;
        Ok(Self { weight, bias: uniform(&[outputs])?, kind: ParameterKind::Weight })
    }

    /// Layer normalisation (Ba, Kiros, Hinton 2016): γ = 1, β = 0.
    pub fn norm(dim: i64, device: Device) -> Result<Self> {
        let weight = trainable(&Tensor::f_ones([dim], (Kind::Float, device))?, device)?;
        let bias = trainable(&Tensor::f_zeros([dim], (Kind::Float, device))?, device)?;
        Ok(Self { weight, bias, kind: ParameterKind::Norm })
    }

    /// `[…, in]` to `[…, out]`.
    pub fn apply_linear(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }

    /// Normalises the last dimension, ε = 10⁻⁶.
    pub fn apply_norm(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), 1e-6, true)?)
    }

    /// `name.weight` and `name.bias`.
    pub fn parameters(&self, name: &str) -> [Parameter; 2] {
        let parameter = |end, kind, tensor: &Tensor| Parameter {
            name: format!("{name}.{end}"),
            kind,
            tensor: tensor.shallow_clone(),
        };
        [parameter("weight", self.kind, &self.weight), parameter("bias", ParameterKind::Bias, &self.bias)]
    }
}
