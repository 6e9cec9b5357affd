//! The residual network itself (He et al. 2016), with the bottleneck's stride in its 3×3 convolution ("v1.5").

use selfsame_encoder_api::layers::{BatchNorm2d, Conv, Conv2d, Layers};
use selfsame_encoder_api::{Encoder, Result, Stem};
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

/// A residual network without its classifier; its layers are made in torchvision's order.
///
/// # Errors
/// Anything libtorch refuses.
pub fn resnet(
    architecture: &Architecture,
    channels: usize,
    stem: Stem,
    zero_init_residual: bool,
    device: Device,
) -> Result<Box<dyn Encoder>> {
    let mut layers = Layers::on(device);
    let mut unit = |conv: &str, norm: &str, inputs, outputs, kernel, stride, scale| -> Result<Unit> {
        let conv = layers.conv2d(conv, Conv::new(inputs, outputs, kernel).stride(stride))?;
        Ok(Unit { conv, norm: layers.batch_norm2d_scaled(norm, outputs, scale)? })
    };
    let last_scale = if zero_init_residual { 0.0 } else { 1.0 };
    let mut inputs = architecture.stem_width;
    let (kernel, stride) = if stem == Stem::Imagenet { (7, 2) } else { (3, 1) };
    let first = unit("conv1", "bn1", channels as i64, inputs, kernel, stride, 1.0)?;
    let mut blocks = Vec::new();
    for (stage, &(width, count)) in (1..).zip(architecture.stages) {
        for index in 0..count {
            let stride = if stage > 1 && index == 0 { 2 } else { 1 };
            let name = format!("layer{stage}.{index}");
            // Outputs, kernel, stride and the scale of the normalisation.
            let plan: &[(i64, i64, i64, f64)] = match architecture.block {
                BlockKind::Basic => &[(width, 3, stride, 1.0), (width, 3, 1, last_scale)],
                BlockKind::Bottleneck => &[(width, 1, 1, 1.0), (width, 3, stride, 1.0), (4 * width, 1, 1, last_scale)],
            };
            let (mut units, mut from) = (Vec::new(), inputs);
            for (number, &(outputs, kernel, stride, scale)) in (1..).zip(plan) {
                let (conv, norm) = (format!("{name}.conv{number}"), format!("{name}.bn{number}"));
                units.push(unit(&conv, &norm, from, outputs, kernel, stride, scale)?);
                from = outputs;
            }
            let downsample = match stride != 1 || inputs != from {
                true => {
                    let (conv, norm) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
                    Some(unit(&conv, &norm, inputs, from, 1, stride, 1.0)?)
                }
                false => None,
            };
            blocks.push(Block { units, downsample });
            inputs = from;
        }
    }
    let max_pool = stem == Stem::Imagenet;
    Ok(layers.encoder(inputs, move |x, train| {
        let mut x = first.forward(x, train)?.f_relu_()?;
        if max_pool {
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for block in &blocks {
            x = block.forward(&x, train)?;
        }
        Ok(x.f_mean_dim([2, 3].as_slice(), false, None)?)
    }))
}
