//! The parts of models that belong to the host: what stands between an encoder's embedding and a loss, and what follows
//! a network over the steps.

mod ema;
mod error;
mod head;
mod layers;
mod momentum_network;
mod network;
mod parameter_group;
mod predicting_network;
mod projection;
mod snapshot;

pub use ema::Ema;
pub use error::{Error, Result};
pub use head::{Head, Layer};
pub use layers::{BatchNorm1d, Linear, WeightNorm, normalized};
pub use momentum_network::MomentumNetwork;
pub use network::Network;
pub use parameter_group::{ParameterGroup, Rate};
pub use predicting_network::{PredictingNetwork, Prediction};
pub use projection::ProjectionConfig;
pub use snapshot::Snapshot;

use selfsame_encoder_api::{Buffer, Parameter};

/// The same parameters under `prefix.name`.
#[must_use]
pub fn prefix_parameters(prefix: &str, parameters: Vec<Parameter>) -> Vec<Parameter> {
    let rename = |p: Parameter| Parameter { name: format!("{prefix}.{}", p.name), ..p };
    parameters.into_iter().map(rename).collect()
}

/// The same buffers under `prefix.name`.
#[must_use]
pub fn prefix_buffers(prefix: &str, buffers: Vec<Buffer>) -> Vec<Buffer> {
    buffers.into_iter().map(|b| Buffer { name: format!("{prefix}.{}", b.name), ..b }).collect()
}
