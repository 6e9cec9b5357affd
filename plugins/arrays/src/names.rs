//! Names of files and arrays for each split.

use schemars::JsonSchema;
use selfsame_plugin_api::Split;
use serde::{Deserialize, Serialize};

/// One name for all splits, in which `{split}` stands for `train`, `val` or `test`; or a name for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a name, in which {split} may stand for the split, or names under `train`, `val` and `test`"
)]
pub enum Names {
    /// For all.
    All(String),
    /// For each.
    Each(PerSplit),
}

/// A name for each split that there is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PerSplit {
    /// Training.
    pub train: Option<String>,
    /// Validation.
    pub val: Option<String>,
    /// Test.
    pub test: Option<String>,
}

impl Names {
    /// The name of a split, where it has one.
    pub fn of(&self, split: Split) -> Option<String> {
        match self {
            Self::All(name) => Some(name.replace("{split}", split.name())),
            Self::Each(PerSplit { train, val, test }) => match split {
                Split::Train => train.clone(),
                Split::Val => val.clone(),
                Split::Test => test.clone(),
            },
        }
    }

    /// Whether the user named this split alone, so that it must be there.
    pub fn is_asked(&self, split: Split) -> bool {
        matches!(self, Self::Each(_)) && self.of(split).is_some()
    }
}
