//! What a key means.

use super::check::hint;
use super::error::{ConfigError, Problem};
use super::ignored_keys;
use super::keys::{Key, Kind};
use super::node::Node;
use super::schema::{Config, MethodName};
use super::show::{flow, ordered};
use std::fmt::Write;

/// What a key means, what it takes and what it is without being set; for a section, the same of its keys.
///
/// # Errors
/// When there is no such key.
pub fn explain(path: &str) -> Result<String, ConfigError> {
    let root = Key::root();
    let Some(key) = root.find(path) else {
        return ignored_keys::explain(path).ok_or_else(|| unknown(&root, path).into());
    };
    let mut out = format!("{}\n  {}\n", key.path, key.doc);
    match &key.kind {
        Kind::Section(keys) | Kind::Sections(keys) => {
            let order = ordered(&Config::default())?;
            let mut keys: Vec<_> = keys.iter().collect();
            keys.sort_by_key(|key| position(&order, &key.path));
            let width = keys.iter().map(|key| key.name().len()).max().unwrap_or(0);
            out.push_str("  keys:\n");
            for key in keys {
                let _ = writeln!(out, "    {:width$}  {}", key.name(), key.doc);
                if !matches!(key.kind, Kind::Section(_) | Kind::Sections(_) | Kind::Free) {
                    let default = default(key)?.map(|default| format!("; default: {default}")).unwrap_or_default();
                    let _ = writeln!(out, "    {:width$}  {}{default}", "", key.expected());
                }
            }
            return Ok(out);
        }
        Kind::Choice(words) | Kind::IntegerOr(_, words) => {
            if let Kind::IntegerOr(..) = key.kind {
                let _ = writeln!(out, "  type: {}", key.expected());
            }
            let width = words.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
            out.push_str("  allowed:\n");
            for (word, doc) in words {
                let _ = writeln!(out, "    {word:width$}  {doc}");
            }
        }
        _ => {
            let _ = writeln!(out, "  type: {}", key.expected());
        }
    }
    if let Some(default) = default(key)? {
        let _ = writeln!(out, "  default: {default}");
    }
    Ok(out)
}

/// The default of a key; where it depends on the method, each method's. Keys of lists and of the second view have none.
fn default(key: &Key) -> Result<Option<String>, ConfigError> {
    let mut each = Vec::new();
    for method in MethodName::ALL {
        let config = serde_json::to_value(Config::of(method)).map_err(|e| Problem::Conversion(e.to_string()))?;
        match key.path.split('.').try_fold(&config, |value, name| value.get(name)) {
            Some(value) => each.push((method, flow(&Node::from(value)))),
            None => return Ok(None),
        }
    }
    if key.path == METHOD || each.iter().all(|(_, value)| *value == each[0].1) {
        return Ok(Some(flow(&Node::from(&key.default))));
    }
    Ok(Some(each.iter().map(|(method, value)| format!("{value} ({method})")).collect::<Vec<_>>().join(", ")))
}

/// The key that names the method, on which other defaults depend.
const METHOD: &str = "train.self_supervision.type";

/// The place of a key among those of its section.
fn position(order: &Node, path: &str) -> Option<usize> {
    let mut node = order;
    let mut place = None;
    for name in path.split('.') {
        let Node::Map(entries) = node else { return None };
        place = entries.iter().position(|entry| entry.key == name);
        node = &entries.get(place?)?.value;
    }
    place
}

fn unknown(root: &Key, path: &str) -> Problem {
    let (mut section, mut name) = (root, path);
    while let Some((first, rest)) = name.split_once('.')
        && let Some(inner) = section.child(first)
    {
        (section, name) = (inner, rest);
    }
    Problem::NoSuchKey { key: path.into(), hint: hint(root, section, name) }
}
