//! Keys of what is measured while the encoder trains.

use super::augmentation::{AugmentationConfig, RandomCropConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

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
    /// A data set of the head's own, which is then also what kNN and the linear probe score.
    #[schemars(extend("x-role" = "identity"))]
    pub dataset: HeadDatasetConfig,
    /// Images per step of the head where it draws its own batches (a data set of its own, or `dataset.mix`), at least
    /// 1; without it, `train.batch_size`.
    #[schemars(range(min = 1))]
    pub batch_size: Option<usize>,
    /// The random view of each image in the head's own batches; the default is a random crop of at least 0.8 of the
    /// area and a horizontal flip. Size and normalisation are the encoder's (`preprocess`, `augmentation.normalize`);
    /// there is one view, so neither `view2` nor `views`.
    #[schemars(extend("x-role-within" = "training"))]
    pub augmentation: AugmentationConfig,
}

impl Default for LinearHeadConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            dataset: HeadDatasetConfig::default(),
            batch_size: None,
            augmentation: AugmentationConfig {
                use_random_crop: true,
                random_crop: RandomCropConfig { scale: [0.8, 1.0], ..RandomCropConfig::default() },
                use_random_horizontal_flip: true,
                ..AugmentationConfig::default()
            },
        }
    }
}

/// The data set that the online head and the probes learn from and are scored on, beside the encoder's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeadDatasetConfig {
    /// Name of a data set that a plugin provides; without it, the head and the probes use `dataset`.
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// Folder with the data, as `dataset.dataset_dir`.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "reach"))]
    pub dataset_dir: Option<PathBuf>,
    /// Threads that read samples, at least 1; without it, one per core.
    #[schemars(range(min = 1))]
    #[schemars(extend("x-role" = "reach"))]
    pub num_workers: Option<usize>,
    /// Options of the data set itself; `selfsame plugins inspect NAME` lists them.
    pub options: Map<String, Value>,
}

/// The k-nearest-neighbour score (Wu et al. 2018), cosine similarity weighted by exp(s / temperature).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KnnConfig {
    /// Neighbours, at least 1.
    #[schemars(range(min = 1))]
    pub k: usize,
    /// Temperature of the votes, at least 0.001.
    #[schemars(range(min = 0.001))]
    pub temperature: f64,
    /// Measure after every Nth epoch, besides the untrained encoder and the last epoch, which are always measured; 0
    /// measures only these two.
    #[schemars(extend("x-role" = "upkeep"))]
    pub every_epochs: usize,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { k: 20, temperature: 0.1, every_epochs: 1 }
    }
}
