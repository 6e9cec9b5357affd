//! The residual network itself (He et al. 2016a), with the bottleneck's stride in its 3×3 convolution ("v1.5").

use crate::layers::{BatchNorm2d, Conv2d};
use selfsame_plugin_api::{Buffer, Encoder, ErrorKind, Parameter, ParameterKind, PluginError, Result, Stem};
use tch::{TchError, Tensor};

/// The residual block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// 3×3, 3×3.
    Basic,
    /// 1×1, 3×3, 1×1 with four times as many channels at its end.
    Bottleneck,
}

/// What distinguishes one network from another.
pub struct Architecture {
    /// The blocks' kind.
    pub block: BlockKind,
    /// Channels after the stem.
    pub stem_width: i64,
    /// Width and number of blocks of each stage; each but the first halves the resolution.
    pub stages: Vec<(i64, usize)>,
}

/// A convolution and the normalisation of its output.
struct Unit {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Unit {
    fn new(inputs: i64, outputs: i64, kernel: i64, stride: i64, scale: f64) -> std::result::Result<Self, TchError> {
        Ok(Self { conv: Conv2d::new(inputs, outputs, kernel, stride)?, norm: BatchNorm2d::new(outputs, scale)? })
    }

    fn forward(&self, x: &Tensor, train: bool) -> std::result::Result<Tensor, TchError> {
        self.norm.forward(&self.conv.forward(x)?, train)
    }
}

struct Block {
    units: Vec<Unit>,
    downsample: Option<Unit>,
}

impl Block {
    fn forward(&self, x: &Tensor, train: bool) -> std::result::Result<Tensor, TchError> {
        let mut out = x.shallow_clone();
        for (index, unit) in self.units.iter().enumerate() {
            out = unit.forward(&out, train)?;
            if index + 1 < self.units.len() {
                out = out.f_relu_()?;
            }
        }
        let mut out = match &self.downsample {
            Some(unit) => out.f_add_(&unit.forward(x, train)?)?,
            None => out.f_add_(x)?,
        };
        out.f_relu_()
    }
}

/// A residual network without its classifier.
pub struct ResNet {
    stem: Unit,
    max_pool: bool,
    stages: Vec<Vec<Block>>,
    feature_dim: usize,
}

impl ResNet {
    /// Draws the initial weights from libtorch's global generator, in the order of [`Encoder::parameters`].
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(architecture: &Architecture, channels: usize, stem: Stem, zero_init_residual: bool) -> Result<Self> {
        Self::build(architecture, channels, stem, zero_init_residual).map_err(torch_error)
    }

    fn build(
        architecture: &Architecture,
        channels: usize,
        stem: Stem,
        zero_init_residual: bool,
    ) -> std::result::Result<Self, TchError> {
        let mut inputs = architecture.stem_width;
        let (kernel, stride) = if stem == Stem::Imagenet { (7, 2) } else { (3, 1) };
        let first = Unit::new(channels as i64, inputs, kernel, stride, 1.0)?;
        let last_scale = if zero_init_residual { 0.0 } else { 1.0 };
        let mut stages = Vec::new();
        for (stage, &(width, count)) in architecture.stages.iter().enumerate() {
            let mut blocks = Vec::new();
            for index in 0..count {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let (units, outputs) = match architecture.block {
                    BlockKind::Basic => (
                        vec![Unit::new(inputs, width, 3, stride, 1.0)?, Unit::new(width, width, 3, 1, last_scale)?],
                        width,
                    ),
                    BlockKind::Bottleneck => (
                        vec![
                            Unit::new(inputs, width, 1, 1, 1.0)?,
                            Unit::new(width, width, 3, stride, 1.0)?,
                            Unit::new(width, 4 * width, 1, 1, last_scale)?,
                        ],
                        4 * width,
                    ),
                };
                let changes_shape = stride != 1 || inputs != outputs;
                let downsample = if changes_shape { Some(Unit::new(inputs, outputs, 1, stride, 1.0)?) } else { None };
                blocks.push(Block { units, downsample });
                inputs = outputs;
            }
            stages.push(blocks);
        }
        Ok(Self { stem: first, max_pool: stem == Stem::Imagenet, stages, feature_dim: inputs as usize })
    }

    fn embed(&self, x: &Tensor, train: bool) -> std::result::Result<Tensor, TchError> {
        let mut x = self.stem.forward(x, train)?.f_relu_()?;
        if self.max_pool {
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for block in self.stages.iter().flatten() {
            x = block.forward(&x, train)?;
        }
        x.f_mean_dim([2, 3].as_slice(), false, None)
    }

    /// Every unit in torchvision's order, with the names of its convolution and of its normalisation.
    fn units(&self) -> Vec<(String, String, &Unit)> {
        let mut all = vec![("conv1".to_string(), "bn1".to_string(), &self.stem)];
        for (stage, blocks) in self.stages.iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                let prefix = format!("layer{}.{index}", stage + 1);
                for (number, unit) in (1..).zip(&block.units) {
                    all.push((format!("{prefix}.conv{number}"), format!("{prefix}.bn{number}"), unit));
                }
                if let Some(unit) = &block.downsample {
                    all.push((format!("{prefix}.downsample.0"), format!("{prefix}.downsample.1"), unit));
                }
            }
        }
        all
    }
}

impl Encoder for ResNet {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.embed(x, train).map_err(torch_error)
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn parameters(&self) -> Vec<Parameter> {
        let units = self.units();
        let named = units.iter().flat_map(|(conv, norm, unit)| {
            [
                (format!("{conv}.weight"), ParameterKind::Weight, &unit.conv.weight),
                (format!("{norm}.weight"), ParameterKind::Norm, &unit.norm.weight),
                (format!("{norm}.bias"), ParameterKind::Bias, &unit.norm.bias),
            ]
        });
        named.map(|(name, kind, tensor)| Parameter { name, kind, tensor: tensor.shallow_clone() }).collect()
    }

    fn buffers(&self) -> Vec<Buffer> {
        let units = self.units();
        let named = units.iter().flat_map(|(_, norm, unit)| {
            [
                (format!("{norm}.running_mean"), &unit.norm.running_mean),
                (format!("{norm}.running_var"), &unit.norm.running_var),
                (format!("{norm}.num_batches_tracked"), &unit.norm.num_batches_tracked),
            ]
        });
        named.map(|(name, tensor)| Buffer { name, tensor: tensor.shallow_clone() }).collect()
    }
}

/// libtorch's message without its backtrace.
fn torch_error(error: TchError) -> PluginError {
    let text = error.to_string();
    let message = text.split("\nException raised from").next().unwrap_or(&text).to_string();
    let kind = if message.contains("out of memory") { ErrorKind::Device } else { ErrorKind::Plugin };
    PluginError { kind, message }
}
