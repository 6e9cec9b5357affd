//! Initial weights.

use crate::Result;
use tch::{Device, Kind, Tensor};

/// What keeps its variance through a layer at the start (He et al. 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fan {
    /// The activations (equation 10).
    In,
    /// The gradients (equation 14).
    Out,
}

/// How a layer's weight is drawn; its bias is 0, but for PyTorch's default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// N(0, 2 / fan), for layers before a ReLU (He et al. 2015); torchvision's for convolutions, by [`Fan::Out`] in
    /// residual networks and by [`Fan::In`] in densely connected ones.
    KaimingNormal(Fan),
    /// N(0, deviation²): 0.02 in vision transformers and ConvNeXt. (timm truncates at ±2, which no draw reaches.)
    Normal(f64),
    /// PyTorch's default, U(−1/√n, 1/√n) for weight and bias, where n inputs make one output.
    Uniform,
}

impl Init {
    /// `[out, in, …]`, on the CPU.
    pub(super) fn weight(self, size: &[i64]) -> Result<Tensor> {
        let mut values = Tensor::f_empty(size, (Kind::Float, Device::Cpu))?;
        let (outputs, inputs) = (size[0], inputs(size));
        let area: i64 = size[2..].iter().product();
        Ok(match self {
            Init::KaimingNormal(Fan::In) => values.f_normal_(0.0, (2.0 / inputs as f64).sqrt())?,
            Init::KaimingNormal(Fan::Out) => values.f_normal_(0.0, (2.0 / (outputs * area) as f64).sqrt())?,
            Init::Normal(deviation) => values.f_normal_(0.0, deviation)?,
            Init::Uniform => uniform(&mut values, inputs)?,
        })
    }

    /// `[out]` for a weight of this size.
    pub(super) fn bias(self, size: &[i64]) -> Result<Tensor> {
        let mut values = Tensor::f_zeros([size[0]], (Kind::Float, Device::Cpu))?;
        Ok(if self == Init::Uniform { uniform(&mut values, inputs(size))? } else { values })
    }
}

/// How many values make one output.
fn inputs(size: &[i64]) -> i64 {
    size[1..].iter().product()
}

fn uniform(values: &mut Tensor, inputs: i64) -> Result<Tensor> {
    let bound = 1.0 / (inputs as f64).sqrt();
    Ok(values.f_uniform_(-bound, bound)?)
}
