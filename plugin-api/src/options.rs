//! Options that a user writes under `dataset.options` or `encoder.options`.

use crate::{PluginError, Result};
use serde::{de::DeserializeOwned, Deserialize, Serialize};

/// One option, as shown by `selfsame plugins inspect` and named in errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionSpec {
    /// The key below `dataset.options` or `encoder.options`.
    pub name: String,
    /// What it means, its range and its default, in one sentence.
    pub help: String,
}

impl OptionSpec {
    /// An option with its one-sentence explanation.
    pub fn new(name: &str, help: &str) -> Self {
        Self { name: name.into(), help: help.into() }
    }
}

/// Reads options into `T`, a struct with serde defaults.
///
/// # Errors
/// A key that no [`OptionSpec`] names is an error that names the key and lists the known ones; a value of the wrong
/// type is an error that names the option.
pub fn parse_options<T: DeserializeOwned>(options: &serde_json::Value, known: &[OptionSpec]) -> Result<T> {
    let empty = serde_json::Map::new();
    let map = match options {
        serde_json::Value::Null => &empty,
        serde_json::Value::Object(map) => map,
        other => return Err(PluginError::configuration(format!("options must be a mapping, not `{other}`"))),
    };
    if let Some(key) = map.keys().find(|key| !known.iter().any(|spec| spec.name == **key)) {
        let names: Vec<_> = known.iter().map(|spec| spec.name.as_str()).collect();
        let list = if names.is_empty() { "there are none".to_string() } else { names.join(", ") };
        return Err(PluginError::configuration(format!("unknown option `{key}`; known options: {list}")));
    }
    for (key, value) in map {
        let single = serde_json::Value::Object([(key.clone(), value.clone())].into_iter().collect());
        // Each option alone first, so that the message names the one at fault.
        if let Err(error) = serde_json::from_value::<T>(single) {
            return Err(PluginError::configuration(format!("option `{key}` = `{value}`: {error}")));
        }
    }
    serde_json::from_value(serde_json::Value::Object(map.clone()))
        .map_err(|error| PluginError::configuration(format!("options: {error}")))
}
