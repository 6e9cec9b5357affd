//! The projection head (Chen et al. 2020, section 2.1): its settings, and the layers that follow from them.

use super::Layer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The projection head: linear layers with ReLU, and batch norm where wanted, after all but the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectionConfig {
    /// Linear layers, at least 1.
    #[schemars(range(min = 1))]
    pub layers: usize,
    /// Width of the hidden layers, at least 1.
    #[schemars(range(min = 1))]
    pub hidden_dim: usize,
    /// Length of a projection, at least 2.
    #[schemars(range(min = 2))]
    pub output_dim: usize,
    /// Batch norm after each hidden layer; predictors follow it. SimSiam and MoCo v3 then have it after the last layer as well.
    pub batch_norm: bool,
}

impl ProjectionConfig {
    /// Linear, batch norm where configured, and ReLU for each hidden layer, then a linear layer to `output_dim`.
    #[must_use]
    pub fn head(&self) -> Vec<Layer> {
        let mut layers = self.hidden(Layer::Linear(self.hidden_dim), Layer::Relu);
        layers.push(Layer::Linear(self.output_dim));
        layers
    }

    /// With batch norm after the last layer too, without scale and shift, and so without biases; where no batch norm is
    /// configured, as [`head`](Self::head).
    #[must_use]
    pub fn normalized_head(&self) -> Vec<Layer> {
        if !self.batch_norm {
            return self.head();
        }
        let mut layers = self.hidden(Layer::LinearWithoutBias(self.hidden_dim), Layer::Relu);
        layers.extend([Layer::LinearWithoutBias(self.output_dim), Layer::BatchNormWithoutAffine]);
        layers
    }

    /// The same with one hidden layer of this width, for a predictor on the projections.
    #[must_use]
    pub fn predictor(&self, hidden_dim: usize) -> Self {
        Self { layers: 2, hidden_dim, ..self.clone() }
    }

    /// The hidden layers alone.
    #[must_use]
    pub fn hidden(&self, linear: Layer, activation: Layer) -> Vec<Layer> {
        let norm = self.batch_norm.then_some(Layer::BatchNorm);
        (1..self.layers).flat_map(|_| [Some(linear), norm, Some(activation)]).flatten().collect()
    }
}
