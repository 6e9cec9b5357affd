//! The layers that belong to the host: what stands between an encoder's embedding and a loss.

mod error;
mod layers;
mod projection;

pub use error::{Error, Result};
pub use layers::{BatchNorm1d, Linear};
pub use projection::ProjectionHead;

use selfsame_plugin_api::{Buffer, Parameter};

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
