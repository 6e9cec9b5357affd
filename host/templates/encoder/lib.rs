//! The encoder `{{name}}`: three convolutions and the mean over all places. Put your own network in their place.

use selfsame_encoder_api::tch::{Device, Kind, Tensor};
use selfsame_encoder_api::{
    Buffer, Encoder, EncoderCard, EncoderRequest, OptionSpec, Parameter, ParameterKind,
    EncoderError, Result, export_plugin, parse_options,
};
use serde::Deserialize;

export_plugin! {
    encoders: { "{{name}}" => (card, create) },
}

/// `encoder.options`: what users may write, with defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct Options {
    width: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 16 }
    }
}

fn option_specs() -> Vec<OptionSpec> {
    vec![OptionSpec::new(
        "width",
        "channels after the first convolution, at least 1; default 16",
    )]
}

fn card(name: &str) -> EncoderCard {
    EncoderCard {
        name: name.into(),
        summary: "Three convolutions and the mean over all places".into(),
        licence: "none stated".into(),
        citation: "none".into(),
        options: option_specs(),
        recommended: serde_json::json!({}),
    }
}

fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
    let Options { width } = parse_options(&request.options, &option_specs())?;
    if width < 1 {
        return Err(EncoderError::configuration(format!(
            "option `width` = `{width}`: expected at least 1"
        )));
    }
    let channels = request.channels as i64;
    let layers = [
        Convolution::new(channels, width, 1, device)?,
        Convolution::new(width, 2 * width, 2, device)?,
        Convolution::new(2 * width, 4 * width, 2, device)?,
    ];
    Ok(Box::new(Network {
        layers,
        feature_dim: 4 * width as usize,
    }))
}

struct Network {
    layers: [Convolution; 3],
    feature_dim: usize,
}

impl Encoder for Network {
    /// `[B, C, H, W]` to `[B, 4·width]`.
    fn forward(&self, x: &Tensor, _train: bool) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for layer in &self.layers {
            x = layer.forward(&x)?.f_relu()?;
        }
        Ok(x.f_mean_dim([2_i64, 3].as_slice(), false, None)?)
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    /// Handles, always in the same order: the optimiser keeps them.
    fn parameters(&self) -> Vec<Parameter> {
        let named = |(index, layer): (usize, &Convolution)| {
            let parameter = |name: &str, kind, tensor: &Tensor| Parameter {
                name: format!("conv{}.{name}", index + 1),
                kind,
                tensor: tensor.shallow_clone(),
            };
            [
                parameter("weight", ParameterKind::Weight, &layer.weight),
                parameter("bias", ParameterKind::Bias, &layer.bias),
            ]
        };
        self.layers.iter().enumerate().flat_map(named).collect()
    }

    /// What is saved but not trained, such as the running statistics of batch normalisation: nothing here.
    fn buffers(&self) -> Vec<Buffer> {
        Vec::new()
    }
}

/// A 3×3 convolution.
struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
}

impl Convolution {
    /// Kaiming-normal weights (He et al. 2015), from libtorch's generator, which the program has seeded. They are drawn on
    /// the CPU, so that a seed gives the same weights on every device.
    fn new(inputs: i64, outputs: i64, stride: i64, device: Device) -> Result<Self> {
        let deviation = (2.0 / (9 * inputs) as f64).sqrt();
        let drawn = Tensor::f_randn([outputs, inputs, 3, 3], (Kind::Float, Device::Cpu))?;
        let weight = drawn
            .f_mul_scalar(deviation)?
            .f_to_device(device)?
            .f_requires_grad_(true)?;
        let bias = Tensor::f_zeros([outputs], (Kind::Float, device))?.f_requires_grad_(true)?;
        Ok(Self {
            weight,
            bias,
            stride,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_conv2d(
            &self.weight,
            Some(&self.bias),
            [self.stride; 2],
            [1, 1],
            [1, 1],
            1,
        )?)
    }
}
