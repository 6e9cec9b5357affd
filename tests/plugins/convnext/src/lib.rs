//! A ConvNeXt (Liu et al. 2022) with timm's names, small enough for tests. An example of an encoder.

use schemars::JsonSchema;
use selfsame_encoder_api::layers::{Conv, Conv2d, Init, LayerNorm, Layers, Linear};
use selfsame_encoder_api::tch::{Device, Kind, Tensor};
use selfsame_encoder_api::{Encoder, EncoderCard, EncoderError, EncoderRequest, ParameterKind, Result, export_plugin};
use serde::Deserialize;

export_plugin! {
    encoders: { "convnext_tiny_test" => (card, create) },
}

const INIT: Init = Init::Normal(0.02);
const EPSILON: f64 = 1e-6;

/// `encoder.options`.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Channels of the first stage; each further one has twice as many.
    #[schemars(range(min = 1))]
    width: i64,
    /// Blocks of each stage.
    #[schemars(range(min = 1))]
    depth: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 8, depth: 1 }
    }
}

fn card(name: &str) -> EncoderCard {
    EncoderCard::new(name, "A ConvNeXt of three stages for small images")
        .licence("MIT")
        .citation("Liu et al.: A ConvNet for the 2020s, CVPR 2022")
        .options::<Options>()
}

/// A depthwise convolution, then an MLP at each place, added to the input with a factor for each channel.
struct Block {
    conv: Conv2d,
    norm: LayerNorm,
    expand: Linear,
    reduce: Linear,
    gamma: Tensor,
}

impl Block {
    fn new(layers: &mut Layers, name: &str, dim: i64) -> Result<Self> {
        let of = |part: &str| format!("{name}.{part}");
        let scale = Tensor::f_full([dim], 1e-6, (Kind::Float, Device::Cpu))?;
        Ok(Self {
            gamma: layers.parameter(&of("gamma"), ParameterKind::Norm, &scale)?,
            conv: layers.conv2d(&of("conv_dw"), Conv::new(dim, dim, 7).groups(dim).with_bias().init(INIT))?,
            norm: layers.layer_norm(&of("norm"), dim, EPSILON)?,
            expand: layers.linear(&of("mlp.fc1"), dim, 4 * dim, INIT)?,
            reduce: layers.linear(&of("mlp.fc2"), 4 * dim, dim, INIT)?,
        })
    }

    /// `[B, C, H, W]` to the same.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.norm.forward(&self.conv.forward(x)?.f_permute([0, 2, 3, 1])?)?;
        let inner = self.reduce.forward(&self.expand.forward(&inner)?.f_gelu("none")?)?;
        Ok(x.f_add(&inner.f_mul(&self.gamma)?.f_permute([0, 3, 1, 2])?)?)
    }
}

/// Halves both sides, after the stage before was normalised.
struct Stage {
    norm: LayerNorm,
    conv: Conv2d,
    blocks: Vec<Block>,
}

fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
    let Options { width, depth } = request.options()?;
    if request.stem.is_some() {
        return Err(EncoderError::configuration("this encoder has no stem; leave `encoder.stem` at `auto`"));
    }
    let mut layers = Layers::on(device);
    let halving = |inputs, outputs| Conv::new(inputs, outputs, 2).stride(2).padding(0).with_bias().init(INIT);
    let stem = layers.conv2d("stem.0", halving(request.channels as i64, width))?;
    let stem_norm = layers.layer_norm("stem.1", width, EPSILON)?;
    let mut dim = width;
    let mut stages = Vec::new();
    for stage in 0..3 {
        let name = format!("stages.{stage}");
        let norm = layers.layer_norm(&format!("{name}.downsample.0"), dim, EPSILON)?;
        let conv = layers.conv2d(&format!("{name}.downsample.1"), halving(dim, 2 * dim))?;
        dim *= 2;
        let blocks = (0..depth).map(|index| Block::new(&mut layers, &format!("{name}.blocks.{index}"), dim));
        stages.push(Stage { norm, conv, blocks: blocks.collect::<Result<_>>()? });
    }
    let norm = layers.layer_norm("head.norm", dim, EPSILON)?;
    Ok(layers.encoder(dim, move |x, _train| {
        let mut x = stem_norm.forward2d(&stem.forward(x)?)?;
        for stage in &stages {
            x = stage.conv.forward(&stage.norm.forward2d(&x)?)?;
            x = stage.blocks.iter().try_fold(x, |x, block| block.forward(&x))?;
        }
        norm.forward(&x.f_mean_dim([2, 3].as_slice(), false, None)?)
    }))
}
