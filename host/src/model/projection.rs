//! The projection head of Chen et al. 2020, section 2.1.

use super::{BatchNorm1d, Linear, Result, prefix_buffers, prefix_parameters};
use crate::config::schema::ProjectionConfig;
use selfsame_plugin_api::{Buffer, Parameter};
use tch::{Device, Tensor};

/// Linear, batch norm where configured, ReLU, linear. Named by position, as PyTorch's `Sequential` would: `0.weight`,
/// `0.bias`; with batch norm `1.*` and `3.*`, without it `2.*`.
#[derive(Debug)]
pub struct ProjectionHead {
    hidden: Linear,
    norm: Option<BatchNorm1d>,
    output: Linear,
}

impl ProjectionHead {
    /// A head for embeddings of length `in_dim`, initialised from libtorch's global generator.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(in_dim: usize, config: &ProjectionConfig, device: Device) -> Result<Self> {
        let (hidden, output) = (config.hidden_dim as i64, config.output_dim as i64);
        Ok(Self {
            hidden: Linear::new(in_dim as i64, hidden, device)?,
            norm: config.batch_norm.then(|| BatchNorm1d::new(hidden, device)).transpose()?,
            output: Linear::new(hidden, output, device)?,
        })
    }

    /// Projects embeddings (`[B, in]`) to `[B, output_dim]`; `train` chooses batch statistics.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as embeddings of another length.
    pub fn forward(&self, embeddings: &Tensor, train: bool) -> Result<Tensor> {
        let mut hidden = self.hidden.forward(embeddings)?;
        if let Some(norm) = &self.norm {
            hidden = norm.forward(&hidden, train)?;
        }
        self.output.forward(&hidden.f_relu()?)
    }

    /// All trainable tensors, in the order of the layers.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = prefix_parameters("0", self.hidden.parameters());
        parameters.extend(self.norm.iter().flat_map(|norm| prefix_parameters("1", norm.parameters())));
        let output = if self.norm.is_some() { "3" } else { "2" };
        parameters.extend(prefix_parameters(output, self.output.parameters()));
        parameters
    }

    /// The running statistics, where there is batch norm.
    #[must_use]
    pub fn buffers(&self) -> Vec<Buffer> {
        self.norm.iter().flat_map(|norm| prefix_buffers("1", norm.buffers())).collect()
    }
}
