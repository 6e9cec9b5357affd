//! Residual networks with torchvision's parameter names.
//!
//! `resnet18`, `resnet34`, `resnet50`, `resnet101` are torchvision's networks without the classifier: their parameters
//! load into its models and the other way round. `resnet8` and `resnet20` are the networks for CIFAR of He et al.
//! (2016, section 4.2): a 3×3 stem with 16 channels, then three stages of 1 or 3 basic blocks with 16, 32 and 64 channels.
//! Where that paper pads the shortcut with zeros (option A), these project it with a 1×1 convolution (option B).
//!
//! Stem: what the user asks for; otherwise 3×3 without max-pooling (`cifar`) when the shorter side of the image has at
//! most 64 pixels, 7×7 with stride 2 and max-pooling (`imagenet`) when it is longer. `resnet8` and `resnet20` have
//! only the first one.
//!
//! Initialisation, as torchvision's: convolutions Kaiming-normal (fan-out, ReLU), normalisation γ = 1 and β = 0.

mod network;

use network::{Architecture, BlockKind, resnet};
use schemars::JsonSchema;
use selfsame_encoder_api::{Encoder, EncoderCard, EncoderError, EncoderRequest, Result, Stem, TimmForm};
use serde::Deserialize;
use tch::Device;

selfsame_encoder_api::export_plugin! {
    encoders: {
        "resnet8" => (card, create),
        "resnet20" => (card, create),
        "resnet18" => (card, create),
        "resnet34" => (card, create),
        "resnet50" => (card, create),
        "resnet101" => (card, create),
    },
}

/// The largest image, by its shorter side in pixels, that gets the 3×3 stem when the user asks for none.
const CIFAR_STEM_UP_TO: usize = 64;

/// `encoder.options`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Start every residual branch at zero (the last γ of each block).
    zero_init_residual: bool,
}

const BASIC: BlockKind = BlockKind::Basic;
const BOTTLENECK: BlockKind = BlockKind::Bottleneck;

#[rustfmt::skip]
const ARCHITECTURES: [Architecture; 6] = [
    Architecture { name: "resnet8", block: BASIC, stem_width: 16, stages: &[(16, 1), (32, 1), (64, 1)] },
    Architecture { name: "resnet20", block: BASIC, stem_width: 16, stages: &[(16, 3), (32, 3), (64, 3)] },
    Architecture { name: "resnet18", block: BASIC, stem_width: 64, stages: &[(64, 2), (128, 2), (256, 2), (512, 2)] },
    Architecture { name: "resnet34", block: BASIC, stem_width: 64, stages: &[(64, 3), (128, 4), (256, 6), (512, 3)] },
    Architecture { name: "resnet50", block: BOTTLENECK, stem_width: 64, stages: &[(64, 3), (128, 4), (256, 6), (512, 3)] },
    Architecture { name: "resnet101", block: BOTTLENECK, stem_width: 64, stages: &[(64, 3), (128, 4), (256, 23), (512, 3)] },
];

fn card(name: &str) -> EncoderCard {
    let summary = match name {
        "resnet8" => "8 layers for images of 32 pixels, 64 features, 0.08 million parameters",
        "resnet20" => "20 layers for images of 32 pixels, 64 features, 0.27 million parameters",
        "resnet18" => "18 layers, 512 features, 11.2 million parameters; cifar stem up to 64 pixels",
        "resnet34" => "34 layers, 512 features, 21.3 million parameters; cifar stem up to 64 pixels",
        "resnet50" => "50 layers, 2048 features, 23.5 million parameters; cifar stem up to 64 pixels",
        _ => "101 layers, 2048 features, 42.5 million parameters; cifar stem up to 64 pixels",
    };
    let timm = match name {
        "resnet8" | "resnet20" => Vec::new(),
        _ => TimmForm::with_both_stems(name, "conv1", "maxpool"),
    };
    let card = EncoderCard::new(name, summary);
    let card = match name {
        "resnet8" => card.suits(false, 0, "small enough to learn on a CPU; a GPU could train `resnet18`"),
        "resnet18" => card.suits(true, 0, "learns in minutes on a GPU, and its weights load in torchvision and timm"),
        "resnet50" => {
            card.suits(true, 50_000, "wide enough for so many images, and its weights load in torchvision and timm")
        }
        _ => card,
    };
    card.timm(timm)
        .licence(env!("CARGO_PKG_LICENSE"))
        .citation("He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016")
        .options::<Options>()
}

/// Makes the encoder that the request names.
///
/// # Errors
/// Unknown names and options, and a stem that the network does not have.
fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
    let options: Options = request.options()?;
    let architecture = request.find(&ARCHITECTURES, |architecture| architecture.name)?;
    let stem = stem(request, architecture)?;
    resnet(architecture, request.channels, stem, options.zero_init_residual, device)
}

fn stem(request: &EncoderRequest, architecture: &Architecture) -> Result<Stem> {
    let for_cifar = architecture.stem_width == 16;
    let (height, width) = request.image_size;
    match request.stem {
        Some(Stem::Imagenet) if for_cifar => Err(EncoderError::configuration(format!(
            "`encoder.stem: imagenet` does not go with encoder `{}`, which has only the `cifar` stem (3×3, no \
             max-pooling); leave `encoder.stem` out, or take resnet18 or a deeper one",
            request.name
        ))),
        Some(stem) => Ok(stem),
        None if for_cifar || height.min(width) <= CIFAR_STEM_UP_TO => Ok(Stem::Cifar),
        None => Ok(Stem::Imagenet),
    }
}

#[cfg(test)]
mod tests;
