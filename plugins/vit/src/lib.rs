//! Vision transformers with timm's parameter names.
//!
//! `vit_tiny_patch16_224`, `vit_small_patch16_224` are timm's networks without the classifier; `vit_tiny_patch4_32`,
//! `vit_small_patch4_32` are the same with patches of 4 pixels, for images of 32. Their parameters load into timm's
//! models and the other way round. The size in a name is the nominal one: the position embedding is made for the images
//! that the run has, and resampled for views of other sizes. All sides must be multiples of the patch.
//!
//! The embedding is the class token after the last normalisation (`norm`), or with `pool: avg` the normalised
//! (`fc_norm`) mean of the patches' tokens, as timm's `global_pool="avg"`.
//!
//! Initialisation, as timm's: linear weights and position embedding N(0, 0.02²), class token N(0, 10⁻¹²), the patch
//! convolution by PyTorch's default, biases 0, normalisation γ = 1 and β = 0.

mod network;

use network::{Architecture, Pool, VisionTransformer};
use schemars::JsonSchema;
use selfsame_encoder_api::{Encoder, EncoderCard, EncoderError, EncoderRequest, Result, TimmForm};
use serde::Deserialize;
use tch::Device;

selfsame_encoder_api::export_plugin! {
    encoders: {
        "vit_tiny_patch4_32" => (card, create),
        "vit_small_patch4_32" => (card, create),
        "vit_tiny_patch16_224" => (card, create),
        "vit_small_patch16_224" => (card, create),
    },
}

/// `encoder.options`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// What makes the embedding: the class token, or the mean of the patches' tokens.
    pool: Pool,
}

impl Default for Options {
    fn default() -> Self {
        Self { pool: Pool::Token }
    }
}

const ARCHITECTURES: [Architecture; 4] = [
    Architecture { name: "vit_tiny_patch4_32", patch: 4, dim: 192, heads: 3 },
    Architecture { name: "vit_small_patch4_32", patch: 4, dim: 384, heads: 6 },
    Architecture { name: "vit_tiny_patch16_224", patch: 16, dim: 192, heads: 3 },
    Architecture { name: "vit_small_patch16_224", patch: 16, dim: 384, heads: 6 },
];

fn card(name: &str) -> EncoderCard {
    let summary = match name {
        "vit_tiny_patch4_32" => "12 blocks, patches of 4 pixels, 192 features, 5.4 million parameters",
        "vit_small_patch4_32" => "12 blocks, patches of 4 pixels, 384 features, 21.3 million parameters",
        "vit_tiny_patch16_224" => "12 blocks, patches of 16 pixels, 192 features, 5.5 million parameters",
        _ => "12 blocks, patches of 16 pixels, 384 features, 21.7 million parameters",
    };
    EncoderCard::new(name, summary)
        .timm(timm(name))
        .licence(env!("CARGO_PKG_LICENSE"))
        .citation(
            "Dosovitskiy et al.: An Image is Worth 16x16 Words, ICLR 2021; sizes of Touvron et al.: Training \
                   data-efficient image transformers, ICML 2021",
        )
        .options::<Options>()
}

/// timm's network of the same width, with other patches; the mean of the patches has a normalisation of its own.
fn timm(name: &str) -> Vec<TimmForm> {
    let Some(architecture) = ARCHITECTURES.iter().find(|architecture| architecture.name == name) else {
        return Vec::new();
    };
    let size = if architecture.dim == 192 { "tiny" } else { "small" };
    let form = |arguments: &[(&str, serde_json::Value)]| {
        let patch = (architecture.patch != 16).then(|| ("patch_size", architecture.patch.into()));
        let arguments = arguments.iter().cloned().chain(patch).map(|(name, value)| (name.to_owned(), value)).collect();
        let fixed_input_size = true;
        TimmForm { arguments, fixed_input_size, ..TimmForm::new(&format!("vit_{size}_patch16_224")) }
    };
    vec![
        form(&[("global_pool", "avg".into())]).told_by("fc_norm.weight", &[]),
        form(&[("global_pool", "token".into())]).told_by("norm.weight", &[]),
    ]
}

/// Makes the encoder that the request names.
///
/// # Errors
/// Unknown names and options, a stem, and images that patches do not tile.
fn create(request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>> {
    let Options { pool } = request.options()?;
    let (name, channels) = (&request.name, request.channels);
    let architecture = request.find(&ARCHITECTURES, |architecture| architecture.name)?;
    if request.stem.is_some() {
        return Err(EncoderError::configuration(format!(
            "encoder `{name}` cuts images into patches and has no stem; leave `encoder.stem` at `auto`"
        )));
    }
    let ((height, width), patch) = (request.image_size, architecture.patch);
    let tiles = |side: usize| side > 0 && side.is_multiple_of(patch);
    if !tiles(height) || !tiles(width) {
        return Err(EncoderError::configuration(format!(
            "encoder `{name}` cuts images into patches of {patch} × {patch} pixels, and {height} × {width} is no multiple \
             of that; see `preprocess.center_crop_size`"
        )));
    }
    let grid = (height / patch, width / patch);
    Ok(Box::new(VisionTransformer::new(architecture, channels, grid, pool, device)?))
}

#[cfg(test)]
mod tests;
