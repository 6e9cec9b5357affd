//! Nested mappings as values by dotted key.

use serde_json::Value;
use std::collections::BTreeMap;

/// What lies below each key of a node; none for a leaf.
pub(super) type Children<'a, T> = Option<Vec<(String, &'a T)>>;

/// Every leaf below a node, by dotted key.
pub(super) fn walk<'a, T>(root: &'a T, children: &dyn Fn(&'a T) -> Children<'a, T>) -> BTreeMap<String, &'a T> {
    let mut leaves = BTreeMap::new();
    let mut open = vec![(String::new(), root)];
    while let Some((path, node)) = open.pop() {
        match children(node) {
            Some(inner) => open.extend(
                inner
                    .into_iter()
                    .map(|(name, node)| (if path.is_empty() { name } else { format!("{path}.{name}") }, node)),
            ),
            None => {
                leaves.insert(path, node);
            }
        }
    }
    leaves
}

/// Every value that is neither a mapping nor a list of mappings, by dotted key; a list's entries by their place in it.
#[must_use]
pub fn flat(value: &Value) -> BTreeMap<String, &Value> {
    walk(value, &|value| match value {
        Value::Object(entries) => Some(entries.iter().map(|(key, value)| (key.clone(), value)).collect()),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            Some(items.iter().enumerate().map(|(place, value)| (place.to_string(), value)).collect())
        }
        _ => None,
    })
}
