//! The schema of a run: every key, its type, default and meaning.
//!
//! The settings of a method and of its heads stand with the method and are gathered here.
//!
//! The doc comments are what `selfsame config explain` prints; the `schemars` attributes are the ranges that loading enforces.

mod augmentation;
mod dataset;
mod encoder;
mod optimizer;
mod preprocess;
mod probe;
mod train;
mod view;

pub use augmentation::*;
pub use dataset::{
    CachePlace, DataConfig, DatasetConfig, LimitConfig, MixedDatasetConfig, OnError, StoreRule, StoreSize,
};
pub use encoder::{EncoderConfig, StemChoice};
pub use optimizer::{LrScaling, OptimizerConfig, OptimizerName, SchedulerConfig};
pub use preprocess::{ClaheConfig, PreprocessConfig};
pub use probe::{HeadDatasetConfig, KnnConfig, LinearHeadConfig};
pub use train::{Collectives, Precision, SelfSupervisionConfig, TrainConfig};
pub use view::{ResolvedView, ViewConfig, ViewError};

pub use crate::method::{MethodConfig, MethodName};
pub use crate::model::ProjectionConfig;

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
    #[schemars(extend("x-role" = "training"))]
    pub scheduler: SchedulerConfig,
    /// The optimiser of encoder and heads.
    #[schemars(extend("x-role" = "training"))]
    pub optimizer: OptimizerConfig,
    /// The loss and the heads of the self-supervised method.
    #[schemars(extend("x-role" = "identity"))]
    pub method: MethodConfig,
    /// The encoder's architecture.
    #[schemars(extend("x-role" = "identity"))]
    pub encoder: EncoderConfig,
    /// What is done to every image, random or not.
    #[schemars(extend("x-role" = "images"))]
    pub preprocess: PreprocessConfig,
    /// The random views.
    #[schemars(extend("x-role" = "setting"))]
    pub augmentation: AugmentationConfig,
    /// The online linear head, which learns from detached features while the encoder trains.
    #[schemars(extend("x-role" = "training"))]
    pub linear_head: LinearHeadConfig,
    /// The k-nearest-neighbour score on the validation split.
    #[schemars(extend("x-role" = "measurement"))]
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
