//! Values as users write them in YAML and as programs write them into CSV files.

use selfsame_plugin_api::Split;
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

/// A cell without surrounding blanks, whole numbers without a fraction (`1.0` is `1`), `True` and `FALSE` in small
/// letters: programs write the same value in all these ways.
pub fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return text.to_ascii_lowercase().into();
    }
    match text.split_once('.') {
        Some((whole, fraction)) if is_whole(whole) && fraction.bytes().all(|byte| byte == b'0') => whole.into(),
        _ => text.into(),
    }
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
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
    fn one_value_has_one_form() {
        for (written, expected) in [
            (" 1.0", "1"),
            ("-1.000", "-1"),
            ("1.5", "1.5"),
            ("TRUE", "true"),
            ("007", "007"),
            ("v1.0", "v1.0"),
            (".0", ".0"),
            ("", ""),
        ] {
            assert_eq!(plain(written), expected);
        }
        let read = |json: serde_json::Value| serde_json::from_value::<Value>(json).unwrap().0;
        assert_eq!(read(serde_json::json!(3)), "3");
        assert_eq!(read(serde_json::json!(-1.0)), "-1");
        assert_eq!(read(serde_json::json!(true)), "true");
    }
}
