//! Layers with PyTorch's names, kinds and initialisation, as torchvision and timm use them.
//!
//! [`Layers`] makes them and remembers their tensors, so that an encoder is its layers and how an image passes them. All
//! initial weights are drawn on the CPU from libtorch's global generator, which the host has seeded: a seed gives the same
//! weights on every device.
//!
//! ```no_run
//! use selfsame_encoder_api::layers::{Conv, Layers};
//! use selfsame_encoder_api::tch::Device;
//! use selfsame_encoder_api::{Encoder, EncoderRequest, Result};
//!
//! fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
//!     let mut layers = Layers::on(device);
//!     let conv1 = layers.conv2d("conv1", Conv::new(request.channels as i64, 16, 3))?;
//!     let bn1 = layers.batch_norm2d("bn1", 16)?;
//!     let conv2 = layers.conv2d("conv2", Conv::new(16, 32, 3).stride(2))?;
//!     Ok(layers.encoder(32, move |x, train| {
//!         let x = bn1.forward_relu(&conv1.forward(x)?, train)?;
//!         Ok(conv2.forward(&x)?.f_mean_dim([2, 3].as_slice(), false, None)?)
//!     }))
//! }
//! ```

mod batch_norm;
mod conv;
mod init;
mod layer_norm;
mod linear;
mod var_store;

pub use batch_norm::BatchNorm2d;
pub use conv::{Conv, Conv2d};
pub use init::{Fan, Init};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use var_store::{var_store_buffers, var_store_parameters};

use crate::{Buffer, Encoder, Parameter, ParameterKind, Result};
use tch::{Device, Kind, Tensor};

/// Makes layers and remembers their tensors, in the order in which they are made.
#[derive(Debug)]
pub struct Layers {
    device: Device,
    parameters: Vec<Parameter>,
    buffers: Vec<Buffer>,
    /// Beginnings of the names of parameters that are not to learn.
    frozen: Vec<String>,
}

impl Layers {
    /// None yet, on this device.
    pub fn on(device: Device) -> Self {
        Self { device, parameters: Vec::new(), buffers: Vec::new(), frozen: Vec::new() }
    }

    /// A convolution: `name.weight`, and `name.bias` where it has one.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn conv2d(&mut self, name: &str, conv: Conv) -> Result<Conv2d> {
        Conv2d::new(self, name, conv)
    }

    /// Batch normalisation of so many channels, γ = 1 and β = 0: `name.weight`, `name.bias` and the running statistics.
    ///
    /// # Errors
    /// As [`Layers::conv2d`].
    pub fn batch_norm2d(&mut self, name: &str, channels: i64) -> Result<BatchNorm2d> {
        BatchNorm2d::new(self, name, channels, 1.0)
    }

    /// As [`Layers::batch_norm2d`], with another γ: 0 lets a residual branch begin as nothing.
    ///
    /// # Errors
    /// As [`Layers::conv2d`].
    pub fn batch_norm2d_scaled(&mut self, name: &str, channels: i64, scale: f64) -> Result<BatchNorm2d> {
        BatchNorm2d::new(self, name, channels, scale)
    }

    /// Layer normalisation of the last dimension, γ = 1 and β = 0: `name.weight` and `name.bias`. PyTorch's own `epsilon` is
    /// 10⁻⁵, timm's 10⁻⁶.
    ///
    /// # Errors
    /// As [`Layers::conv2d`].
    pub fn layer_norm(&mut self, name: &str, dim: i64, epsilon: f64) -> Result<LayerNorm> {
        LayerNorm::new(self, name, dim, epsilon)
    }

    /// A linear map with a bias: `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// As [`Layers::conv2d`].
    pub fn linear(&mut self, name: &str, inputs: i64, outputs: i64, init: Init) -> Result<Linear> {
        Linear::new(self, name, inputs, outputs, init)
    }

    /// Any other trainable tensor, drawn or filled by the author.
    ///
    /// # Errors
    /// As [`Layers::conv2d`].
    pub fn parameter(&mut self, name: &str, kind: ParameterKind, values: &Tensor) -> Result<Tensor> {
        let tensor = values.f_to_device(self.device)?.f_requires_grad_(true)?;
        self.parameters.push(Parameter { name: name.into(), kind, tensor: tensor.shallow_clone() });
        Ok(tensor)
    }

    /// A tensor that is saved and not trained.
    ///
    /// # Errors
    /// As [`Layers::conv2d`].
    pub fn buffer(&mut self, name: &str, values: &Tensor) -> Result<Tensor> {
        self.buffer_on(self.device, name, values)
    }

    fn buffer_on(&mut self, device: Device, name: &str, values: &Tensor) -> Result<Tensor> {
        let tensor = values.f_to_device(device)?;
        self.buffers.push(Buffer { name: name.into(), tensor: tensor.shallow_clone() });
        Ok(tensor)
    }

    /// Declares that parameters whose names begin so are not to learn; `forward` keeps gradients from them.
    pub fn freeze(&mut self, beginning: &str) {
        self.frozen.push(beginning.into());
    }

    /// Handles of all trainable tensors, for [`Encoder::parameters`].
    pub fn parameters(&self) -> Vec<Parameter> {
        let handle =
            |one: &Parameter| Parameter { name: one.name.clone(), kind: one.kind, tensor: one.tensor.shallow_clone() };
        self.parameters.iter().map(handle).collect()
    }

    /// Handles of all other tensors, for [`Encoder::buffers`].
    pub fn buffers(&self) -> Vec<Buffer> {
        let handle = |one: &Buffer| Buffer { name: one.name.clone(), tensor: one.tensor.shallow_clone() };
        self.buffers.iter().map(handle).collect()
    }

    /// An encoder of these layers: `forward` takes `[B, C, H, W]` and whether it trains to `[B, feature_dim]`.
    pub fn encoder(
        self,
        feature_dim: i64,
        forward: impl Fn(&Tensor, bool) -> Result<Tensor> + Send + 'static,
    ) -> Box<dyn Encoder> {
        Box::new(Assembled { layers: self, feature_dim, forward })
    }

    /// Zeros.
    fn zeros(&self, size: &[i64]) -> Result<Tensor> {
        Ok(Tensor::f_zeros(size, (Kind::Float, self.device))?)
    }
}

struct Assembled<F> {
    layers: Layers,
    feature_dim: i64,
    forward: F,
}

impl<F: Fn(&Tensor, bool) -> Result<Tensor> + Send> Encoder for Assembled<F> {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        (self.forward)(x, train)
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim as usize
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.layers.parameters()
    }

    fn buffers(&self) -> Vec<Buffer> {
        self.layers.buffers()
    }

    fn is_frozen(&self, name: &str) -> bool {
        self.layers.frozen.iter().any(|beginning| name.starts_with(beginning))
    }
}
