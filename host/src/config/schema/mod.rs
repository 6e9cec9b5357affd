//! The schema of a run: every key, its type, default and meaning.
//!
//! The doc comments are what `selfsame config explain` prints; the `schemars` attributes are the ranges that loading enforces.

mod augmentation;
mod dataset;
mod method;
mod optimizer;
mod probe;
mod train;

pub use augmentation::{
    AugmentationConfig, GaussianBlurConfig, GrayscaleConfig, Interpolation, NormalizeChoice, PreprocessConfig,
    ProbabilityConfig, RandomColorConfig, RandomCropConfig, SolarizeConfig,
};
pub use dataset::{CachePlace, DataConfig, DatasetConfig, LimitConfig};
pub use method::{
    BarlowTwinsConfig, ByolConfig, ByolEmbedding, EncoderConfig, MethodConfig, ProjectionConfig, StemChoice,
    VicRegConfig,
};
pub use optimizer::{LrScaling, OptimizerConfig, OptimizerName, SchedulerConfig};
pub use probe::{KnnConfig, LinearHeadConfig};
pub use train::{MethodName, Precision, SelfSupervisionConfig, TrainConfig};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A whole run, resolved.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The images to learn from.
    pub dataset: DatasetConfig,
    /// How samples are split, limited and held.
    pub data: DataConfig,
    /// The training run.
    pub train: TrainConfig,
    /// The length and the shape of the learning rate schedule.
    pub scheduler: SchedulerConfig,
    /// The optimiser of encoder and heads.
    pub optimizer: OptimizerConfig,
    /// The loss and the heads of the self-supervised method.
    pub method: MethodConfig,
    /// The encoder's architecture.
    pub encoder: EncoderConfig,
    /// The size of the images that the encoder sees.
    pub preprocess: PreprocessConfig,
    /// The random views.
    pub augmentation: AugmentationConfig,
    /// The online linear head, which learns from detached features while the encoder trains.
    pub linear_head: LinearHeadConfig,
    /// The k-nearest-neighbour score on the validation split.
    pub knn: KnnConfig,
}

impl Config {
    /// The defaults of a run with this method.
    #[must_use]
    pub fn of(method: MethodName) -> Self {
        let mut config = Self { method: MethodConfig::of(method), ..Self::default() };
        config.train.self_supervision.method = method;
        config
    }
}
