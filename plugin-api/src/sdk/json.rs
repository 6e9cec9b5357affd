//! Values that cross the boundary as JSON.

use crate::{PluginError, Result};
use abi_stable::std_types::RString;

/// Writes a value as JSON.
pub fn to_json(what: &str, value: &impl serde::Serialize) -> Result<RString> {
    let json = serde_json::to_string(value).map_err(|error| PluginError::plugin(format!("{what} as JSON: {error}")))?;
    Ok(json.into())
}

/// Reads a value from JSON.
pub fn from_json<T: serde::de::DeserializeOwned>(what: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| PluginError::plugin(format!("{what} from JSON: {error}")))
}
