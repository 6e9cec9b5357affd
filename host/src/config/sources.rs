//! What a configuration is read from.

use std::path::PathBuf;

/// Everything that a configuration is read from, the weakest first: recommendations, files, variables, flags.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// What plugins recommend.
    pub recommended: Vec<Recommended>,
    /// The files of `--config`, in order.
    pub files: Vec<PathBuf>,
    /// Names and values of the environment; those that do not start with `SELFSAME_` are passed over.
    pub env: Vec<(String, String)>,
    /// The values of `--set`, such as `train.batch_size=64`, in order.
    pub sets: Vec<String>,
}

/// The values that a plugin recommends for one of its data sets or encoders.
#[derive(Debug, Clone)]
pub struct Recommended {
    /// What the values are for and who says so, such as `data set CIFAR10 (plugin selfsame-plugin-cifar)`.
    pub origin: String,
    /// The values, nested like the schema.
    pub values: serde_json::Value,
}
