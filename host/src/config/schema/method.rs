//! Keys of the method and the encoder.

use super::MethodName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The loss and the heads of the self-supervised method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MethodConfig {
    /// Temperature τ of SimCLR's NT-Xent, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// The projection head. What it is without being set depends on the method.
    pub projection: ProjectionConfig,
    /// BYOL: its target network and its predictor.
    pub byol: ByolConfig,
    /// Barlow Twins: the weights of its loss.
    pub barlow_twins: BarlowTwinsConfig,
    /// VICReg: the weights of its three terms.
    pub vicreg: VicRegConfig,
}

impl MethodConfig {
    /// What holds for a method where nothing is set.
    #[must_use]
    pub fn of(method: MethodName) -> Self {
        Self {
            temperature: 0.5,
            projection: ProjectionConfig::of(method),
            byol: ByolConfig::default(),
            barlow_twins: BarlowTwinsConfig::default(),
            vicreg: VicRegConfig::default(),
        }
    }
}

impl Default for MethodConfig {
    fn default() -> Self {
        Self::of(MethodName::default())
    }
}

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
    /// Batch norm after each hidden layer; BYOL's predictor follows it.
    pub batch_norm: bool,
}

impl ProjectionConfig {
    /// A method's own: SimCLR's for CIFAR-10 (two layers without batch norm), otherwise what the method's paper uses.
    #[must_use]
    pub fn of(method: MethodName) -> Self {
        match method {
            MethodName::Simclr => Self { layers: 2, hidden_dim: 1024, output_dim: 128, batch_norm: false },
            MethodName::Byol => Self { layers: 2, hidden_dim: 4096, output_dim: 256, batch_norm: true },
            MethodName::BarlowTwins | MethodName::Vicreg => {
                Self { layers: 3, hidden_dim: 8192, output_dim: 8192, batch_norm: true }
            }
        }
    }
}

impl Default for ProjectionConfig {
    fn default() -> Self {
        Self::of(MethodName::default())
    }
}

/// BYOL: the target network and the predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ByolConfig {
    /// τ of the target's moving average at the first step, in [0, 1]; it rises to 1 at the last step by half a cosine.
    /// The authors take 0.99 for runs of 100 and 300 epochs, 0.996 for 1000.
    #[schemars(range(min = 0, max = 1))]
    pub tau_base: f64,
    /// Width of the predictor's hidden layer, at least 1.
    #[schemars(range(min = 1))]
    pub predictor_hidden_dim: usize,
    /// The network whose embedding is evaluated and exported: `online` or `target`.
    pub embedding: ByolEmbedding,
}

impl Default for ByolConfig {
    fn default() -> Self {
        Self { tau_base: 0.99, predictor_hidden_dim: 4096, embedding: ByolEmbedding::Online }
    }
}

/// BYOL's two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ByolEmbedding {
    /// The network that learns.
    Online,
    /// Its moving average.
    Target,
}

/// Barlow Twins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BarlowTwinsConfig {
    /// λ, the weight of the off-diagonal terms, at least 0.
    #[schemars(range(min = 0))]
    pub lambda: f64,
    /// Factor on the whole loss, above 0; it matters where steps grow with the gradient, as in SGD.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub loss_scale: f64,
}

impl Default for BarlowTwinsConfig {
    fn default() -> Self {
        Self { lambda: 0.005, loss_scale: 1.0 }
    }
}

/// VICReg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VicRegConfig {
    /// Weight of the invariance term, at least 0.
    #[schemars(range(min = 0))]
    pub invariance: f64,
    /// Weight of the variance term, which is the mean over both views, at least 0.
    #[schemars(range(min = 0))]
    pub variance: f64,
    /// Weight of the covariance term, which is the sum over both views, at least 0.
    #[schemars(range(min = 0))]
    pub covariance: f64,
}

impl Default for VicRegConfig {
    fn default() -> Self {
        Self { invariance: 25.0, variance: 25.0, covariance: 1.0 }
    }
}

/// The encoder's architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderConfig {
    /// `cifar` (3×3, no max-pooling), `imagenet` (7×7 stride 2, max-pooling), or `auto`: `cifar` for images of up to 64
    /// pixels.
    pub stem: StemChoice,
    /// Options of the encoder itself; `selfsame plugins inspect NAME` lists them.
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
