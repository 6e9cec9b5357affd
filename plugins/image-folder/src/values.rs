//! Values as users write them in YAML and as programs write them into CSV files.

use selfsame_plugin_api::Split;
use selfsame_tables::labels::plain;
use serde::Deserialize;

/// A text, number or truth value, in the form in which labels are compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Scalar")]
pub struct Value(pub String);

#[derive(Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
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

/// Something for each split.
#[derive(Debug, Clone, Deserialize)]
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
