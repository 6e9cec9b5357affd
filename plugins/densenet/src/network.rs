//! The densely connected network itself (Huang et al. 2017, "DenseNet-BC": bottlenecks, and transitions that halve).

use selfsame_encoder_api::layers::{BatchNorm2d, Conv, Conv2d, Fan, Init, Layers};
use selfsame_encoder_api::{Encoder, Result, Stem};
use tch::{Device, Tensor};

/// Channels that a layer's 1×1 convolution makes, in units of the growth rate.
const BOTTLENECK: i64 = 4;

/// What distinguishes one network from another.
pub struct Architecture {
    /// The name that users write.
    pub name: &'static str,
    /// Channels after the stem.
    pub stem_width: i64,
    /// k, the channels that each layer adds.
    pub growth: i64,
    /// Layers of each block.
    pub blocks: [usize; 4],
}

/// Normalisation, ReLU, 1×1 convolution, then the same with a 3×3 convolution that makes k channels.
struct Layer {
    norm1: BatchNorm2d,
    conv1: Conv2d,
    norm2: BatchNorm2d,
    conv2: Conv2d,
}

/// Normalisation, ReLU, 1×1 convolution to half the channels, 2×2 average pooling.
struct Transition {
    norm: BatchNorm2d,
    conv: Conv2d,
}

/// A densely connected network without its classifier; its layers are made in torchvision's order.
///
/// # Errors
/// Anything libtorch refuses.
pub fn densenet(architecture: &Architecture, channels: usize, stem: Stem, device: Device) -> Result<Box<dyn Encoder>> {
    let Architecture { stem_width, growth, blocks: depths, .. } = *architecture;
    let mut layers = Layers::on(device);
    let conv = |inputs, outputs, kernel| Conv::new(inputs, outputs, kernel).init(Init::KaimingNormal(Fan::In));
    let (kernel, stride) = if stem == Stem::Imagenet { (7, 2) } else { (3, 1) };
    let conv0 = layers.conv2d("features.conv0", conv(channels as i64, stem_width, kernel).stride(stride))?;
    let norm0 = layers.batch_norm2d("features.norm0", stem_width)?;
    let mut width = stem_width;
    let mut blocks = Vec::new();
    for (number, &depth) in (1..).zip(&depths) {
        let mut block = Vec::with_capacity(depth);
        for index in 1..=depth {
            let inner = BOTTLENECK * growth;
            let name = |part: &str| format!("features.denseblock{number}.denselayer{index}.{part}");
            block.push(Layer {
                norm1: layers.batch_norm2d(&name("norm1"), width)?,
                conv1: layers.conv2d(&name("conv1"), conv(width, inner, 1))?,
                norm2: layers.batch_norm2d(&name("norm2"), inner)?,
                conv2: layers.conv2d(&name("conv2"), conv(inner, growth, 3))?,
            });
            width += growth;
        }
        let transition = if number < depths.len() {
            let name = |part: &str| format!("features.transition{number}.{part}");
            let norm = layers.batch_norm2d(&name("norm"), width)?;
            let transition = Transition { norm, conv: layers.conv2d(&name("conv"), conv(width, width / 2, 1))? };
            width /= 2;
            Some(transition)
        } else {
            None
        };
        blocks.push((block, transition));
    }
    let norm5 = layers.batch_norm2d("features.norm5", width)?;
    let max_pool = stem == Stem::Imagenet;
    Ok(layers.encoder(width, move |x, train| {
        let mut x = norm0.forward_relu(&conv0.forward(x)?, train)?;
        if max_pool {
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for (block, transition) in &blocks {
            for Layer { norm1, conv1, norm2, conv2 } in block {
                let inner = conv1.forward(&norm1.forward_relu(&x, train)?)?;
                let new = conv2.forward(&norm2.forward_relu(&inner, train)?)?;
                x = Tensor::f_cat(&[x, new], 1)?;
            }
            if let Some(Transition { norm, conv }) = transition {
                let halved = conv.forward(&norm.forward_relu(&x, train)?)?;
                x = halved.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?;
            }
        }
        Ok(norm5.forward_relu(&x, train)?.f_mean_dim([2, 3].as_slice(), false, None)?)
    }))
}
