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

mod layers;
mod network;

use network::{Architecture, BlockKind, ResNet};
use selfsame_plugin_api::{Encoder, EncoderCard, EncoderRequest, OptionSpec, PluginError, Result, Stem, parse_options};
use serde::Deserialize;

const RESNET: &str = "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016";
/// The largest image, by its shorter side in pixels, that gets the 3×3 stem when the user asks for none.
const CIFAR_STEM_UP_TO: usize = 64;

/// `encoder.options`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Options {
    zero_init_residual: bool,
}

fn option_specs() -> Vec<OptionSpec> {
    let help = "start every residual branch at zero (the last γ of each block): true or false; default false";
    vec![OptionSpec::new("zero_init_residual", help)]
}

/// The facts about every encoder of this plugin.
pub fn cards() -> Vec<EncoderCard> {
    let stems = "stem cifar up to 64 pixels, imagenet above, unless encoder.stem says otherwise";
    let card = |name: &str, summary: String| EncoderCard {
        name: name.into(),
        summary,
        citation: RESNET.into(),
        options: option_specs(),
        recommended: serde_json::json!({}),
    };
    vec![
        card("resnet8", "8 layers for images of 32 pixels, 64 features, 0.08 million parameters".into()),
        card("resnet20", "20 layers for images of 32 pixels, 64 features, 0.27 million parameters".into()),
        card("resnet18", format!("18 layers, 512 features, 11.2 million parameters; {stems}")),
        card("resnet34", format!("34 layers, 512 features, 21.3 million parameters; {stems}")),
        card("resnet50", format!("50 layers, 2048 features, 23.5 million parameters; {stems}")),
        card("resnet101", format!("101 layers, 2048 features, 42.5 million parameters; {stems}")),
    ]
}

/// Makes the encoder that the request names, on the CPU.
///
/// # Errors
/// Unknown names and options, channels other than 1 or 3, and a stem that the network does not have.
pub fn encoder(request: &EncoderRequest) -> Result<Box<dyn Encoder>> {
    let options: Options = parse_options(&request.options, &option_specs())?;
    let architecture = architecture(&request.name)?;
    if !matches!(request.channels, 1 | 3) {
        let (name, channels) = (&request.name, request.channels);
        return Err(PluginError::configuration(format!(
            "encoder `{name}` takes images of 1 or 3 channels, not {channels}"
        )));
    }
    let stem = stem(request, &architecture)?;
    Ok(Box::new(ResNet::new(&architecture, request.channels, stem, options.zero_init_residual)?))
}

fn architecture(name: &str) -> Result<Architecture> {
    let cifar = |count| Architecture {
        block: BlockKind::Basic,
        stem_width: 16,
        stages: vec![(16, count), (32, count), (64, count)],
    };
    let imagenet = |block, counts: [usize; 4]| Architecture {
        block,
        stem_width: 64,
        stages: [64, 128, 256, 512].into_iter().zip(counts).collect(),
    };
    match name {
        "resnet8" => Ok(cifar(1)),
        "resnet20" => Ok(cifar(3)),
        "resnet18" => Ok(imagenet(BlockKind::Basic, [2, 2, 2, 2])),
        "resnet34" => Ok(imagenet(BlockKind::Basic, [3, 4, 6, 3])),
        "resnet50" => Ok(imagenet(BlockKind::Bottleneck, [3, 4, 6, 3])),
        "resnet101" => Ok(imagenet(BlockKind::Bottleneck, [3, 4, 23, 3])),
        _ => {
            let names: Vec<_> = cards().into_iter().map(|card| card.name).collect();
            let names = names.join(", ");
            Err(PluginError::configuration(format!("unknown encoder `{name}`; this plugin provides {names}")))
        }
    }
}

fn stem(request: &EncoderRequest, architecture: &Architecture) -> Result<Stem> {
    let for_cifar = architecture.stem_width == 16;
    let (height, width) = request.image_size;
    match request.stem {
        Some(Stem::Imagenet) if for_cifar => Err(PluginError::configuration(format!(
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
