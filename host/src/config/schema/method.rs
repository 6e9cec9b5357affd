//! Keys of the method and the encoder.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The loss and the projection head of the self-supervised method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MethodConfig {
    /// Temperature τ of NT-Xent, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// The projection head.
    pub projection: ProjectionConfig,
}

impl Default for MethodConfig {
    fn default() -> Self {
        Self { temperature: 0.5, projection: ProjectionConfig::default() }
    }
}

/// A two-layer projection head: linear, (batch norm), ReLU, linear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectionConfig {
    /// Width of the hidden layer, at least 1.
    #[schemars(range(min = 1))]
    pub hidden_dim: usize,
    /// Length of a projection, at least 2.
    #[schemars(range(min = 2))]
    pub output_dim: usize,
    /// Batch norm after the hidden layer.
    pub batch_norm: bool,
}

impl Default for ProjectionConfig {
    fn default() -> Self {
        Self { hidden_dim: 1024, output_dim: 128, batch_norm: false }
    }
}

/// The encoder's architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderConfig {
    /// `cifar` (3×3, no max-pooling), `imagenet` (7×7 stride 2, max-pooling), or `auto`: `cifar` for images of up to 64
    /// pixels.
    pub stem: StemChoice,
    /// Options of the encoder itself; `selfsame plugins inspect` lists them.
    pub options: Map<String, Value>,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self { stem: StemChoice::Auto, options: Map::new() }
    }
}

/// The first layers of a convolutional encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StemChoice {
    /// By the size of the images.
    Auto,
    /// 3×3 convolution, stride 1, no max-pooling.
    Cifar,
    /// 7×7 convolution, stride 2, max-pooling.
    Imagenet,
}
