//! Convolutions.

use selfsame_encoder_api::{Parameter, ParameterKind, Result};
use tch::{Device, Kind, Tensor};

/// What keeps its variance through a layer at the start (He et al. 2015).
#[derive(Debug, Clone, Copy)]
pub enum Fan {
    /// The activations (equation 10).
    In,
    /// The gradients (equation 14).
    Out,
}

/// A convolution without bias; padding keeps the size at stride 1.
#[derive(Debug)]
pub struct Conv2d {
    /// `[out, in, kernel, kernel]`.
    weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// Weights from N(0, 2 / (`fan` · kernel²)), Kaiming-normal for ReLU.
    ///
    /// They are drawn on the CPU, so that a seed gives the same weights on every device.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(inputs: i64, outputs: i64, kernel: i64, stride: i64, fan: Fan, device: Device) -> Result<Self> {
        let fan = match fan {
            Fan::In => inputs,
            Fan::Out => outputs,
        };
        let deviation = (2.0 / (fan * kernel * kernel) as f64).sqrt();
        let mut weight = Tensor::f_empty([outputs, inputs, kernel, kernel], (Kind::Float, Device::Cpu))?;
        let mut weight = weight.f_normal_(0.0, deviation)?.f_to_device(device)?;
        Ok(Self { weight: weight.f_requires_grad_(true)?, stride, padding: kernel / 2 })
    }

    /// `[B, in, H, W]` to `[B, out, ⌈H / stride⌉, ⌈W / stride⌉]`.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as another number of channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(x.f_conv2d(&self.weight, None::<&Tensor>, stride, padding, [1, 1], 1)?)
    }

    /// `name.weight`.
    #[must_use]
    pub fn parameters(&self, name: &str) -> [Parameter; 1] {
        let tensor = self.weight.shallow_clone();
        [Parameter { name: format!("{name}.weight"), kind: ParameterKind::Weight, tensor }]
    }
}
