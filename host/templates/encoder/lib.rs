//! The encoder `{{name}}`: three convolutions and the mean over all places. Put your own network in their place.

use schemars::JsonSchema;
use selfsame_encoder_api::layers::{Conv, Layers};
use selfsame_encoder_api::tch::Device;
use selfsame_encoder_api::{Encoder, EncoderCard, EncoderRequest, Result, export_plugin};
use serde::Deserialize;

export_plugin! {
    encoders: { "{{name}}" => (card, create) },
}

/// `encoder.options`: what users may write. Their help, ranges and defaults come from here.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Channels after the first convolution.
    #[schemars(range(min = 1))]
    width: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 16 }
    }
}

fn card(name: &str) -> EncoderCard {
    EncoderCard::new(name, "Three convolutions and the mean over all places").options::<Options>()
}

/// Layers are remembered by the names that they are made with, and initialised as torchvision does.
fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
    let Options { width } = request.options()?;
    let mut layers = Layers::on(device);
    let conv1 = layers.conv2d("conv1", Conv::new(request.channels as i64, width, 3))?;
    let bn1 = layers.batch_norm2d("bn1", width)?;
    let conv2 = layers.conv2d("conv2", Conv::new(width, 2 * width, 3).stride(2))?;
    let bn2 = layers.batch_norm2d("bn2", 2 * width)?;
    let conv3 = layers.conv2d("conv3", Conv::new(2 * width, 4 * width, 3).stride(2))?;
    let bn3 = layers.batch_norm2d("bn3", 4 * width)?;
    // `[B, C, H, W]` to `[B, 4·width]`. A network with more to it implements `Encoder` itself.
    Ok(layers.encoder(4 * width, move |x, train| {
        let x = bn1.forward_relu(&conv1.forward(x)?, train)?;
        let x = bn2.forward_relu(&conv2.forward(&x)?, train)?;
        let x = bn3.forward_relu(&conv3.forward(&x)?, train)?;
        Ok(x.f_mean_dim([2_i64, 3].as_slice(), false, None)?)
    }))
}
