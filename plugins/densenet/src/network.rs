//! The densely connected network itself (Huang et al. 2017, "DenseNet-BC": bottlenecks, and transitions that halve).

use selfsame_convolution::{BatchNorm2d, Conv2d, Fan};
use selfsame_encoder_api::{Buffer, Encoder, Parameter, Result, Stem};
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
    name: String,
    norm1: BatchNorm2d,
    conv1: Conv2d,
    norm2: BatchNorm2d,
    conv2: Conv2d,
}

/// Normalisation, ReLU, 1×1 convolution to half the channels, 2×2 average pooling.
struct Transition {
    name: String,
    norm: BatchNorm2d,
    conv: Conv2d,
}

/// A densely connected network without its classifier.
pub struct DenseNet {
    conv0: Conv2d,
    norm0: BatchNorm2d,
    max_pool: bool,
    blocks: Vec<(Vec<Layer>, Option<Transition>)>,
    norm5: BatchNorm2d,
    feature_dim: usize,
}

impl DenseNet {
    /// Draws the initial weights from libtorch's global generator, in the order of [`Encoder::parameters`].
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(architecture: &Architecture, channels: usize, stem: Stem, device: Device) -> Result<Self> {
        let Architecture { stem_width, growth, blocks: depths, .. } = *architecture;
        let conv = |inputs, outputs, kernel, stride| Conv2d::new(inputs, outputs, kernel, stride, Fan::In, device);
        let norm = |channels| BatchNorm2d::new(channels, 1.0, device);
        let (kernel, stride) = if stem == Stem::Imagenet { (7, 2) } else { (3, 1) };
        let conv0 = conv(channels as i64, stem_width, kernel, stride)?;
        let mut width = stem_width;
        let mut blocks = Vec::new();
        for (number, &depth) in (1..).zip(&depths) {
            let mut layers = Vec::with_capacity(depth);
            for index in 1..=depth {
                let inner = BOTTLENECK * growth;
                layers.push(Layer {
                    name: format!("features.denseblock{number}.denselayer{index}"),
                    norm1: norm(width)?,
                    conv1: conv(width, inner, 1, 1)?,
                    norm2: norm(inner)?,
                    conv2: conv(inner, growth, 3, 1)?,
                });
                width += growth;
            }
            let transition = if number < depths.len() {
                let name = format!("features.transition{number}");
                let transition = Transition { name, norm: norm(width)?, conv: conv(width, width / 2, 1, 1)? };
                width /= 2;
                Some(transition)
            } else {
                None
            };
            blocks.push((layers, transition));
        }
        Ok(Self {
            conv0,
            norm0: norm(stem_width)?,
            max_pool: stem == Stem::Imagenet,
            blocks,
            norm5: norm(width)?,
            feature_dim: width as usize,
        })
    }

    /// Every convolution and normalisation in torchvision's order, by name.
    fn modules(&self) -> Vec<(String, Module<'_>)> {
        let mut all = vec![
            ("features.conv0".to_string(), Module::Conv(&self.conv0)),
            ("features.norm0".to_string(), Module::Norm(&self.norm0)),
        ];
        for (layers, transition) in &self.blocks {
            for Layer { name, norm1, conv1, norm2, conv2 } in layers {
                all.push((format!("{name}.norm1"), Module::Norm(norm1)));
                all.push((format!("{name}.conv1"), Module::Conv(conv1)));
                all.push((format!("{name}.norm2"), Module::Norm(norm2)));
                all.push((format!("{name}.conv2"), Module::Conv(conv2)));
            }
            if let Some(Transition { name, norm, conv }) = transition {
                all.push((format!("{name}.norm"), Module::Norm(norm)));
                all.push((format!("{name}.conv"), Module::Conv(conv)));
            }
        }
        all.push(("features.norm5".to_string(), Module::Norm(&self.norm5)));
        all
    }
}

enum Module<'a> {
    Conv(&'a Conv2d),
    Norm(&'a BatchNorm2d),
}

impl Module<'_> {
    fn parameters(&self, name: &str) -> Vec<Parameter> {
        match self {
            Self::Conv(conv) => conv.parameters(name).into(),
            Self::Norm(norm) => norm.parameters(name).into(),
        }
    }

    fn buffers(&self, name: &str) -> Vec<Buffer> {
        match self {
            Self::Conv(_) => Vec::new(),
            Self::Norm(norm) => norm.buffers(name).into(),
        }
    }
}

impl Encoder for DenseNet {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = self.norm0.forward_relu(&self.conv0.forward(x)?, train)?;
        if self.max_pool {
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for (layers, transition) in &self.blocks {
            for Layer { norm1, conv1, norm2, conv2, .. } in layers {
                let inner = conv1.forward(&norm1.forward_relu(&x, train)?)?;
                let new = conv2.forward(&norm2.forward_relu(&inner, train)?)?;
                x = Tensor::f_cat(&[x, new], 1)?;
            }
            if let Some(Transition { norm, conv, .. }) = transition {
                let halved = conv.forward(&norm.forward_relu(&x, train)?)?;
                x = halved.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?;
            }
        }
        Ok(self.norm5.forward_relu(&x, train)?.f_mean_dim([2, 3].as_slice(), false, None)?)
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn parameters(&self) -> Vec<Parameter> {
        let modules = self.modules().into_iter();
        modules.flat_map(|(name, module)| module.parameters(&name)).collect()
    }

    fn buffers(&self) -> Vec<Buffer> {
        let modules = self.modules().into_iter();
        modules.flat_map(|(name, module)| module.buffers(&name)).collect()
    }
}
