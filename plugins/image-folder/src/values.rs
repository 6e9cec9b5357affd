//! Values as users write them in YAML and as programs write them into CSV files.

use schemars::JsonSchema;
use selfsame_plugin_api::images::Range;
use selfsame_plugin_api::{PluginError, Result, Split};
use selfsame_tables::labels::plain;
use serde::{Deserialize, Serialize};

/// A text, number or truth value, in the form in which labels are compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "Scalar")]
#[schemars(with = "Scalar")]
pub struct Value(pub String);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text, a number, or true or false")]
enum Scalar {
    Truth(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Self {
        let text = match scalar {
            Scalar::Truth(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Number(value) => value.to_string(),
            Scalar::Text(text) => text,
        };
        Self(plain(&text).into_owned())
    }
}

/// One value or a list of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "one value or a list of values")]
pub enum OneOrMany<T> {
    /// A single value.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// The values that become black and white.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "[lowest, highest], or a list of such pairs, one for each channel")]
pub enum Ranges {
    /// Those of unsigned integers of 8 and 16 bits.
    #[default]
    Whole,
    /// The same for all channels.
    All([f64; 2]),
    /// One for each channel.
    Each(Vec<[f64; 2]>),
}

impl Ranges {
    /// One for all channels, one for each, or none.
    ///
    /// # Errors
    /// A range that is none.
    pub fn checked(&self) -> Result<Vec<Range>> {
        let pairs = match self {
            Self::Whole => &[],
            Self::All(pair) => std::slice::from_ref(pair),
            Self::Each(pairs) => pairs.as_slice(),
        };
        let about = |error: String| PluginError::configuration(format!("option `value_range` has {error}"));
        pairs.iter().map(|pair| Range::try_from(*pair).map_err(about)).collect()
    }
}

/// Something for each split.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerSplit<T> {
    train: Option<T>,
    val: Option<T>,
    test: Option<T>,
}

impl<T> PerSplit<T> {
    /// What is given, training first.
    pub fn given(&self) -> impl Iterator<Item = (Split, &T)> {
        let all = [(Split::Train, &self.train), (Split::Val, &self.val), (Split::Test, &self.test)];
        all.into_iter().filter_map(|(split, value)| Some((split, value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_truth_values_are_written_as_cells_are_compared() {
        let read = |json: serde_json::Value| serde_json::from_value::<Value>(json).unwrap().0;
        assert_eq!(read(serde_json::json!(3)), "3");
        assert_eq!(read(serde_json::json!(-1.0)), "-1");
        assert_eq!(read(serde_json::json!(true)), "true");
    }
}
