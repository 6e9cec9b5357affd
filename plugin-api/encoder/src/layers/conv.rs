//! Convolutions.

use super::{Fan, Init, Layers};
use crate::{ParameterKind, Result};
use tch::Tensor;

/// What a convolution is: square, without bias, stride 1, its padding keeps the size at that stride, and weights are
/// Kaiming-normal by fan-out, unless it says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    inputs: i64,
    outputs: i64,
    kernel: i64,
    stride: i64,
    padding: i64,
    groups: i64,
    has_bias: bool,
    init: Init,
}

impl Conv {
    /// From `inputs` to `outputs` channels; `kernel` is the side of the kernel.
    pub fn new(inputs: i64, outputs: i64, kernel: i64) -> Self {
        let init = Init::KaimingNormal(Fan::Out);
        Self { inputs, outputs, kernel, stride: 1, padding: kernel / 2, groups: 1, has_bias: false, init }
    }

    /// Only every so many places.
    #[must_use]
    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// So many zeros around the image.
    #[must_use]
    pub fn padding(self, padding: i64) -> Self {
        Self { padding, ..self }
    }

    /// In so many groups of channels; as many as there are channels for a depthwise one.
    #[must_use]
    pub fn groups(self, groups: i64) -> Self {
        Self { groups, ..self }
    }

    /// With a bias.
    #[must_use]
    pub fn with_bias(self) -> Self {
        Self { has_bias: true, ..self }
    }

    /// With other initial weights.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

/// A convolution; made by [`Layers::conv2d`].
#[derive(Debug)]
pub struct Conv2d {
    /// `[out, in / groups, kernel, kernel]`.
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
    groups: i64,
}

impl Conv2d {
    pub(super) fn new(layers: &mut Layers, name: &str, conv: Conv) -> Result<Self> {
        let Conv { inputs, outputs, kernel, stride, padding, groups, has_bias, init } = conv;
        let size = [outputs, inputs / groups.max(1), kernel, kernel];
        let weight = layers.parameter(&format!("{name}.weight"), ParameterKind::Weight, &init.weight(&size)?)?;
        let bias = match has_bias {
            true => Some(layers.parameter(&format!("{name}.bias"), ParameterKind::Bias, &init.bias(&size)?)?),
            false => None,
        };
        Ok(Self { weight, bias, stride, padding, groups })
    }

    /// `[B, in, H, W]` to `[B, out, ⌈H / stride⌉, ⌈W / stride⌉]`, with the usual padding.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as another number of channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(x.f_conv2d(&self.weight, self.bias.as_ref(), stride, padding, [1, 1], self.groups)?)
    }
}
