//! Keys of the encoder.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

impl StemChoice {
    /// The word of the run file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cifar => "cifar",
            Self::Imagenet => "imagenet",
        }
    }
}
