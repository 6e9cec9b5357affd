//! Projection heads and predictors: small fully connected networks (Chen et al. 2020, section 2.1).

use super::{BatchNorm1d, Linear, Result, prefix_buffers, prefix_parameters};
use crate::config::schema::ProjectionConfig;
use selfsame_encoder_api::{Buffer, Parameter};
use tch::{Device, Tensor};

/// Linear, batch norm where configured, and ReLU for each hidden layer, then a linear one. Named by position, as PyTorch's
/// `Sequential` would: two layers are `0.weight`, `0.bias`, and with batch norm `1.*` and `3.*`, without it `2.*`.
#[derive(Debug)]
pub struct ProjectionHead {
    hidden: Vec<(Linear, Option<BatchNorm1d>)>,
    output: Linear,
}

impl ProjectionHead {
    /// A head for embeddings of length `in_dim`, initialised from libtorch's global generator.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(in_dim: usize, config: &ProjectionConfig, device: Device) -> Result<Self> {
        let (width, mut inputs) = (config.hidden_dim as i64, in_dim as i64);
        let mut hidden = Vec::with_capacity(config.layers);
        for _ in 1..config.layers {
            let linear = Linear::new(inputs, width, device)?;
            let norm = config.batch_norm.then(|| BatchNorm1d::new(width, device)).transpose()?;
            hidden.push((linear, norm));
            inputs = width;
        }
        Ok(Self { hidden, output: Linear::new(inputs, config.output_dim as i64, device)? })
    }

    /// Projects embeddings (`[B, in]`) to `[B, output_dim]`; `train` chooses batch statistics.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as embeddings of another length.
    pub fn forward(&self, embeddings: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = embeddings.shallow_clone();
        for (linear, norm) in &self.hidden {
            x = linear.forward(&x)?;
            if let Some(norm) = norm {
                x = norm.forward(&x, train)?;
            }
            x = x.f_relu()?;
        }
        self.output.forward(&x)
    }

    /// All trainable tensors, in the order of the layers.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let (mut parameters, mut place) = (Vec::new(), 0);
        for (linear, norm) in &self.hidden {
            parameters.extend(prefix_parameters(&place.to_string(), linear.parameters()));
            let norm = norm.iter().flat_map(|norm| prefix_parameters(&(place + 1).to_string(), norm.parameters()));
            parameters.extend(norm);
            place += self.stride();
        }
        parameters.extend(prefix_parameters(&place.to_string(), self.output.parameters()));
        parameters
    }

    /// The running statistics, where there is batch norm.
    #[must_use]
    pub fn buffers(&self) -> Vec<Buffer> {
        let named = |(layer, (_, norm)): (usize, &(Linear, Option<BatchNorm1d>))| {
            let place = (layer * self.stride() + 1).to_string();
            norm.iter().flat_map(|norm| prefix_buffers(&place, norm.buffers())).collect::<Vec<_>>()
        };
        self.hidden.iter().enumerate().flat_map(named).collect()
    }

    /// Places that a hidden layer takes in the numbering.
    fn stride(&self) -> usize {
        if self.hidden.iter().any(|(_, norm)| norm.is_some()) { 3 } else { 2 }
    }
}
