//! The residual network itself (He et al. 2016), with the bottleneck's stride in its 3×3 convolution ("v1.5").

use selfsame_convolution::{BatchNorm2d, Conv2d, Fan};
use selfsame_encoder_api::{Buffer, Encoder, Parameter, Result, Stem};
use tch::{Device, Tensor};

/// The residual block.
#[derive(Clone, Copy)]
pub enum BlockKind {
    /// 3×3, 3×3.
    Basic,
    /// 1×1, 3×3, 1×1 with four times as many channels at its end.
    Bottleneck,
}

/// What distinguishes one network from another.
pub struct Architecture {
    /// The name that users write.
    pub name: &'static str,
    /// The blocks' kind.
    pub block: BlockKind,
    /// Channels after the stem.
    pub stem_width: i64,
    /// Width and number of blocks of each stage; each but the first halves the resolution.
    pub stages: &'static [(i64, usize)],
}

/// A convolution and the normalisation of its output.
struct Unit {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Unit {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.norm.forward(&self.conv.forward(x)?, train)
    }
}

struct Block {
    /// `layer1.0`
    name: String,
    units: Vec<Unit>,
    downsample: Option<Unit>,
}

impl Block {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
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
        Ok(out.f_relu_()?)
    }
}

/// A residual network without its classifier.
pub struct ResNet {
    stem: Unit,
    max_pool: bool,
    blocks: Vec<Block>,
    feature_dim: usize,
}

impl ResNet {
    /// Draws the initial weights from libtorch's global generator, in the order of [`Encoder::parameters`].
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(
        architecture: &Architecture,
        channels: usize,
        stem: Stem,
        zero_init_residual: bool,
        device: Device,
    ) -> Result<Self> {
        let unit = |inputs, outputs, kernel, stride, scale| -> Result<Unit> {
            let conv = Conv2d::new(inputs, outputs, kernel, stride, Fan::Out, device)?;
            Ok(Unit { conv, norm: BatchNorm2d::new(outputs, scale, device)? })
        };
        let last_scale = if zero_init_residual { 0.0 } else { 1.0 };
        let mut inputs = architecture.stem_width;
        let (kernel, stride) = if stem == Stem::Imagenet { (7, 2) } else { (3, 1) };
        let first = unit(channels as i64, inputs, kernel, stride, 1.0)?;
        let mut blocks = Vec::new();
        for (stage, &(width, count)) in (1..).zip(architecture.stages) {
            for index in 0..count {
                let stride = if stage > 1 && index == 0 { 2 } else { 1 };
                let (outputs, units) = match architecture.block {
                    BlockKind::Basic => {
                        let units = vec![unit(inputs, width, 3, stride, 1.0)?, unit(width, width, 3, 1, last_scale)?];
                        (width, units)
                    }
                    BlockKind::Bottleneck => {
                        let units = vec![
                            unit(inputs, width, 1, 1, 1.0)?,
                            unit(width, width, 3, stride, 1.0)?,
                            unit(width, 4 * width, 1, 1, last_scale)?,
                        ];
                        (4 * width, units)
                    }
                };
                let changes_shape = stride != 1 || inputs != outputs;
                let downsample = changes_shape.then(|| unit(inputs, outputs, 1, stride, 1.0)).transpose()?;
                blocks.push(Block { name: format!("layer{stage}.{index}"), units, downsample });
                inputs = outputs;
            }
        }
        Ok(Self { stem: first, max_pool: stem == Stem::Imagenet, blocks, feature_dim: inputs as usize })
    }

    /// Every unit in torchvision's order, with the names of its convolution and of its normalisation.
    fn units(&self) -> Vec<(String, String, &Unit)> {
        let mut all = vec![("conv1".to_string(), "bn1".to_string(), &self.stem)];
        for Block { name, units, downsample } in &self.blocks {
            for (number, unit) in (1..).zip(units) {
                all.push((format!("{name}.conv{number}"), format!("{name}.bn{number}"), unit));
            }
            if let Some(unit) = downsample {
                all.push((format!("{name}.downsample.0"), format!("{name}.downsample.1"), unit));
            }
        }
        all
    }
}

impl Encoder for ResNet {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = self.stem.forward(x, train)?.f_relu_()?;
        if self.max_pool {
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for block in &self.blocks {
            x = block.forward(&x, train)?;
        }
        Ok(x.f_mean_dim([2, 3].as_slice(), false, None)?)
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn parameters(&self) -> Vec<Parameter> {
        let units = self.units().into_iter();
        units
            .flat_map(|(conv, norm, unit)| unit.conv.parameters(&conv).into_iter().chain(unit.norm.parameters(&norm)))
            .collect()
    }

    fn buffers(&self) -> Vec<Buffer> {
        self.units().into_iter().flat_map(|(_, norm, unit)| unit.norm.buffers(&norm)).collect()
    }
}
