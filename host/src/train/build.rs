//! The networks of a run, before its first step.

use super::compute::Compute;
use super::initial_weights::InitialWeights;
use crate::config::Config;
use crate::config::schema::StemChoice;
use crate::data::Size;
use crate::error::Error;
use crate::method::{EmaEncoder, Method};
use crate::plugin::Registry;
use crate::probe::LinearHead;
use crate::samples::RunData;
use crate::{native, random};
use selfsame_encoder_api::{Encoder, EncoderRequest, Stem};
use selfsame_plugin_api::Task;
use tch::{Device, Tensor};

/// Builds the encoder and the method around it, seeded; an encoder given weights starts from them. `with_features`: the online
/// head learns from the features of the training steps.
///
/// # Errors
/// What the plugin says about the encoder's options, and weights that do not fit it.
pub fn build_method(
    weights: Option<&InitialWeights>,
    config: &Config,
    registry: &Registry,
    channels: usize,
    image_size: Size,
    device: Device,
    with_features: bool,
) -> Result<Box<dyn Method>, Error> {
    tch::manual_seed(random::derive_seed(config.train.seed, "initialisation", &[]) as i64);
    let encoder = || {
        let encoder = build_encoder(config, registry, channels, image_size, device)?;
        match weights {
            Some(weights) => weights.load_into(encoder.as_ref(), image_size).map(|()| encoder),
            None => Ok(encoder),
        }
    };
    let method = config.train.self_supervision.method.create(&config.method, &encoder, device)?;
    Ok(match config.train.encoder_ema_decay {
        Some(decay) => Box::new(EmaEncoder::new(method, encoder()?, decay, with_features)?),
        None => method,
    })
}

/// Builds one encoder, with random weights from libtorch's global generator; every encoder of a run is made here, a
/// method's second one too.
///
/// # Errors
/// What the plugin says about the encoder's options.
fn build_encoder(
    config: &Config,
    registry: &Registry,
    channels: usize,
    image_size: Size,
    device: Device,
) -> Result<Box<dyn Encoder>, Error> {
    let request = EncoderRequest {
        name: config.train.self_supervision.encoder_name.clone(),
        channels,
        image_size: image_size.into(),
        stem: match config.encoder.stem {
            StemChoice::Auto => None,
            StemChoice::Cifar => Some(Stem::Cifar),
            StemChoice::Imagenet => Some(Stem::Imagenet),
        },
        options: serde_json::Value::Object(config.encoder.options.clone()),
    };
    let encoder = registry.create_encoder(&request, device)?;
    for mut parameter in encoder.parameters() {
        if parameter.tensor.dim() == 4 {
            let converted = native::to_channels_last(&parameter.tensor.detach())?;
            parameter.tensor.set_data(&converted);
        }
    }
    Ok(encoder)
}

/// The labels that the online head learns from; none where there is no head.
fn head_labels<'a>(config: &Config, data: &'a RunData) -> Option<&'a Tensor> {
    let probed = data.probe_data();
    probed.train.labels().filter(|_| config.linear_head.enabled && probed.card.task != Task::None)
}

/// Whether the online head learns from the features of the training steps: one with batches of its own embeds those.
pub(super) fn head_needs_features(config: &Config, data: &RunData) -> bool {
    head_labels(config, data).is_some() && !data.head_draws_own_batches()
}

/// The online head, where the data set that it learns from has labels.
pub(super) fn linear_head(
    config: &Config,
    compute: Compute,
    data: &RunData,
    feature_dim: usize,
) -> Result<Option<LinearHead>, Error> {
    let Some(labels) = head_labels(config, data) else { return Ok(None) };
    let labels = labels.f_to_device(compute.device)?;
    let balance = config.train.self_supervision.use_balanced_binary_loss_for_linear_head.then_some(&labels);
    let card = &data.probe_data().card;
    let head =
        LinearHead::new(&config.linear_head, card.task, feature_dim, card.classes.len(), balance, compute.device)?;
    Ok(Some(head))
}
