//! Keys of what is measured while the encoder trains.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The online linear head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearHeadConfig {
    /// Whether there is one; it needs labels.
    pub enabled: bool,
    /// Learning rate of the head's Adam, constant, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Weight decay of the head, at least 0.
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
}

impl Default for LinearHeadConfig {
    fn default() -> Self {
        Self { enabled: true, learning_rate: 1e-3, weight_decay: 0.0 }
    }
}

/// The k-nearest-neighbour score (Wu et al. 2018), cosine similarity weighted by exp(s / temperature).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KnnConfig {
    /// Neighbours, at least 1.
    #[schemars(range(min = 1))]
    pub k: usize,
    /// Temperature of the votes, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Measure after every Nth epoch, besides the untrained encoder and the last epoch, which are always measured; 0
    /// measures only these two.
    pub every_epochs: usize,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { k: 20, temperature: 0.1, every_epochs: 1 }
    }
}
