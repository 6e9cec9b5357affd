//! Densely connected networks with torchvision's parameter names.
//!
//! `densenet121`, `densenet169` are torchvision's networks without the classifier: their parameters load into its models
//! and the other way round. The embedding is what torchvision gives to its classifier: the last normalisation, ReLU, and
//! the mean over all positions.
//!
//! Stem: what the user asks for; otherwise 3×3 without max-pooling (`cifar`) when the shorter side of the image has at
//! most 64 pixels, 7×7 with stride 2 and max-pooling (`imagenet`) when it is longer.
//!
//! Initialisation, as torchvision's: convolutions Kaiming-normal (fan-in, ReLU), normalisation γ = 1 and β = 0.

mod network;

use network::{Architecture, densenet};
use schemars::JsonSchema;
use selfsame_encoder_api::{Encoder, EncoderCard, EncoderError, EncoderRequest, Result, Stem, TimmForm};
use serde::Deserialize;
use tch::Device;

selfsame_encoder_api::export_plugin! {
    encoders: {
        "densenet121" => (card, create),
        "densenet169" => (card, create),
    },
}

/// The largest image, by its shorter side in pixels, that gets the 3×3 stem when the user asks for none.
const CIFAR_STEM_UP_TO: usize = 64;
/// The smallest shorter side in pixels that is not pooled away.
const SMALLEST: [(Stem, usize); 2] = [(Stem::Cifar, 8), (Stem::Imagenet, 29)];

/// `encoder.options`: there are none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {}

const ARCHITECTURES: [Architecture; 2] = [
    Architecture { name: "densenet121", stem_width: 64, growth: 32, blocks: [6, 12, 24, 16] },
    Architecture { name: "densenet169", stem_width: 64, growth: 32, blocks: [6, 12, 32, 32] },
];

fn card(name: &str) -> EncoderCard {
    let summary = match name {
        "densenet121" => "121 layers, 1024 features, 6.9 million parameters; cifar stem up to 64 pixels",
        _ => "169 layers, 1664 features, 12.5 million parameters; cifar stem up to 64 pixels",
    };
    EncoderCard::new(name, summary)
        .timm(TimmForm::with_both_stems(name, "features.conv0", "features.pool0"))
        .licence(env!("CARGO_PKG_LICENSE"))
        .citation("Huang, Liu, van der Maaten, Weinberger: Densely Connected Convolutional Networks, CVPR 2017")
}

/// Makes the encoder that the request names.
///
/// # Errors
/// Unknown names and options, and images that are too small for the stem.
fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
    let _: Options = request.options()?;
    let (name, channels) = (&request.name, request.channels);
    let architecture = request.find(&ARCHITECTURES, |architecture| architecture.name)?;
    let (height, width) = request.image_size;
    let shorter = height.min(width);
    let default = if shorter <= CIFAR_STEM_UP_TO { Stem::Cifar } else { Stem::Imagenet };
    let stem = request.stem.unwrap_or(default);
    if let Some((_, smallest)) = SMALLEST.iter().find(|(of, smallest)| *of == stem && shorter < *smallest) {
        return Err(EncoderError::configuration(format!(
            "encoder `{name}` needs images of at least {smallest} × {smallest} pixels with this stem, not {height} × \
             {width}; see `preprocess` and `encoder.stem`"
        )));
    }
    densenet(architecture, channels, stem, device)
}

#[cfg(test)]
mod tests;
