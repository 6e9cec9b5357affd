//! The JSON schema that editors check run files against: it takes what loading takes.

use super::keys;
use serde_json::{Map, Value, json};

/// `1e-3`, which YAML 1.1 reads as text, and quoted numbers.
const NUMBER: &str = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$";
/// `(0.08, 1.0)`, which YAML reads as text.
const NUMBERS: &str = r"^\s*(\(.*\)|\[.*\])\s*$";

/// The JSON schema of a configuration file; `extends` is a key of files only.
pub fn json_schema() -> Value {
    let mut schema = keys::json_schema();
    schema["properties"]["extends"] = json!({
        "description": "Files that this one builds on, relative to it.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    });
    let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
    publish(&mut schema, &definitions);
    schema
}

/// Numbers may be spelt as text, and a section that overrides another one takes that one's keys.
fn publish(schema: &mut Value, definitions: &Map<String, Value>) {
    if let Some(keys) = keys::overridden(schema, definitions) {
        keys.into_iter().for_each(|(name, key)| schema["properties"][name] = key.clone());
        schema["additionalProperties"] = false.into();
    }
    if let Some(pattern) = spelling(schema) {
        let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].take()]);
        schema["type"] = kinds.into_iter().chain(["string".into()]).collect();
        schema["pattern"] = pattern.into();
    }
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| publish(item, definitions)),
        Value::Object(map) => {
            let inner = map.iter_mut().filter(|(name, _)| *name != "default");
            inner.for_each(|(_, value)| publish(value, definitions));
        }
        _ => {}
    }
}

/// The texts that stand for a value of such a type, as a regular expression.
fn spelling(schema: &Value) -> Option<&'static str> {
    let kind = |schema| keys::type_of(schema);
    match kind(schema) {
        "number" | "integer" => Some(NUMBER),
        "array" if schema.get("items").map(kind) == Some("number") => Some(NUMBERS),
        _ => None,
    }
}
