//! Keys of the data: which images, how they are split, limited and held.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The images to learn from: one data set, or several mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetConfig {
    /// Name of a data set that a plugin provides; `selfsame plugins list` shows them.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "plugin"))]
    pub name: String,
    /// Folder with the data; without it, the data set's own folder in the user's cache, filled by download where the
    /// data set can do that.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "place"))]
    pub dataset_dir: Option<PathBuf>,
    /// Threads that read samples, at least 1; without it, one per core. Of several processes on a machine, the first reads
    /// while the others wait, and they then share the cores.
    #[schemars(range(min = 1))]
    #[schemars(extend("x-role" = "computation"))]
    pub num_workers: Option<usize>,
    /// Options of the data set itself; `selfsame plugins inspect NAME` lists them.
    #[schemars(extend("x-role" = "images"))]
    pub options: Map<String, Value>,
    /// This data set's weight beside those of `mix`, above 0: its share of an epoch's images is its weight over the sum
    /// of all. Either every data set has a weight or none; without, an epoch holds every image of each exactly once.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[schemars(extend("x-role" = "batches"))]
    pub weight: Option<f64>,
    /// Further data sets for the encoder, mixed with this one: a list of mappings with `name` and, as needed,
    /// `dataset_dir`, `options` and `weight`. An epoch has as many images as all training splits together.
    #[schemars(extend("x-role" = "identity"))]
    pub mix: Vec<MixedDatasetConfig>,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self {
            name: "CIFAR10".into(),
            dataset_dir: None,
            num_workers: None,
            options: Map::new(),
            weight: None,
            mix: Vec::new(),
        }
    }
}

/// A data set that is mixed with `dataset`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MixedDatasetConfig {
    /// Name of a data set that a plugin provides.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Folder with the data, as `dataset.dataset_dir`.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "reach"))]
    pub dataset_dir: Option<PathBuf>,
    /// Options of the data set itself.
    pub options: Map<String, Value>,
    /// Its weight, above 0; see `dataset.weight`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub weight: Option<f64>,
}

/// How samples are split, limited and held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Share of the training split held out for validation, stratified by class and grouped by patient; in [0, 1). 0
    /// trains on everything. Unused when the data set publishes its own validation split.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    #[schemars(extend("x-role" = "identity"))]
    pub val_fraction: f64,
    /// First N samples of each split, of every data set, after the seeded shuffle; for trying things out.
    #[schemars(extend("x-role" = "setting"))]
    pub limit: LimitConfig,
    /// Where decoded pixels live while training: `device` (beside the encoder), `host` (in memory), `disk` (in the packed
    /// cache, read batch by batch), or `auto` (the fastest of these that they fit in).
    #[schemars(extend("x-role" = "computation"))]
    pub cache: CachePlace,
    /// Folder of the packed cache, where decoded images of data sets with a fingerprint are kept between runs; without it,
    /// `selfsame/packed` in the user's cache folder.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-role" = "computation"))]
    pub cache_dir: Option<PathBuf>,
    /// Images whose shorter side is longer than this many pixels are reduced to it once, when they are decoded; never
    /// enlarged. `original` keeps all pixels; `auto` keeps what the random crops need: `preprocess.resize` (else the data
    /// set's nominal size) divided by the square root of the smallest crop's share, 1.25 to 2 times as much, rounded up
    /// to a multiple of 32.
    #[schemars(extend("x-role" = "setting"))]
    pub store_size: StoreSize,
    /// What happens when a sample cannot be read: `stop`, or `skip` (it is left out, counted in the log and listed in the
    /// run's `damaged.json`).
    #[schemars(extend("x-role" = "setting"))]
    pub on_error: OnError,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            val_fraction: 0.1,
            limit: LimitConfig::default(),
            cache: CachePlace::Auto,
            cache_dir: None,
            store_size: StoreSize::Rule(StoreRule::Auto),
            on_error: OnError::Stop,
        }
    }
}

/// Number of samples kept of each split; none keeps all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Training samples kept, at least 1.
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// Validation samples kept, at least 1.
    #[schemars(range(min = 1))]
    pub val: Option<usize>,
    /// Test samples kept, at least 1.
    #[schemars(range(min = 1))]
    pub test: Option<usize>,
}

/// Where decoded pixels live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CachePlace {
    /// On the device when they fit there, else in the host's memory, else on disk.
    Auto,
    /// On the device.
    Device,
    /// In the host's memory.
    Host,
    /// In the packed cache; batches are gathered from it in the background.
    Disk,
}

/// What happens when a sample cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The run ends with exit code 3 and names the sample.
    Stop,
    /// The sample is left out of its split; more than half of the samples of a split are too many.
    Skip,
}

/// The length that images' shorter sides are reduced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoreSize {
    /// In pixels, at least 1.
    Pixels(usize),
    /// By a rule.
    Rule(StoreRule),
}

/// A rule for the length that images' shorter sides are reduced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreRule {
    /// What the random crops need.
    Auto,
    /// Images stay as they are.
    Original,
}

impl JsonSchema for StoreSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StoreSize".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "oneOf": [
                {"const": "auto", "description": "What the random crops need."},
                {"const": "original", "description": "Images stay as they are."},
                {"type": "integer", "minimum": 1, "description": "Pixels of the shorter side."},
            ]
        })
    }
}
