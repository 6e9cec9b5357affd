//! A value as a layer wrote it, before the schema gives it a type.

use serde_json::Value;

/// A place in a text, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub line: usize,
    pub column: usize,
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Text; `plain` when it was not quoted, so that it may stand for a number, a truth value or null.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the order of writing, no key twice.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    /// Place of the key, when the mapping was read from a text.
    pub mark: Option<Mark>,
    pub value: Node,
}

/// What an unquoted scalar stands for in YAML 1.2's core schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
}

impl Node {
    /// A mapping of one key per segment of the path, around `value`.
    pub fn nested(path: &[&str], value: Node) -> Node {
        path.iter().rev().fold(value, |value, key| Node::Map(vec![Entry { key: (*key).into(), mark: None, value }]))
    }

    /// The number of values in the tree.
    pub fn size(&self) -> usize {
        1 + match self {
            Node::Scalar { .. } => 0,
            Node::List(items) => items.iter().map(Node::size).sum(),
            Node::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }

    /// What the scalar stands for; none for a list or a mapping.
    pub fn plain(&self) -> Option<Plain> {
        match self {
            Node::Scalar { text, plain: true } => Some(resolve(text)),
            Node::Scalar { text, plain: false } => Some(Plain::Text(text.clone())),
            _ => None,
        }
    }

    /// The value on one line, cut where it is long.
    pub fn brief(&self) -> String {
        let full = match self {
            Node::Scalar { text, plain: true } if text.is_empty() => "nothing".into(),
            Node::Scalar { text, plain: true } => text.clone(),
            Node::Scalar { text, plain: false } => format!("{text:?}"),
            Node::List(items) => format!("[{}]", items.iter().map(Node::brief).collect::<Vec<_>>().join(", ")),
            Node::Map(entries) => {
                let inner: Vec<_> = entries.iter().map(|e| format!("{}: {}", e.key, e.value.brief())).collect();
                format!("{{{}}}", inner.join(", "))
            }
        };
        let full = full.replace('\n', " ");
        match full.char_indices().nth(60) {
            Some((end, _)) => format!("{}…", &full[..end]),
            None => full,
        }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Node::Scalar { text: "null".into(), plain: true },
            Value::Bool(_) | Value::Number(_) => Node::Scalar { text: value.to_string(), plain: true },
            Value::String(text) => Node::Scalar { text: text.clone(), plain: false },
            Value::Array(items) => Node::List(items.iter().map(Node::from).collect()),
            Value::Object(map) => Node::Map(
                map.iter()
                    .map(|(key, value)| Entry { key: key.clone(), mark: None, value: Node::from(value) })
                    .collect(),
            ),
        }
    }
}

/// What an unquoted text stands for. `1e-3`, which YAML 1.1 reads as text, is a number.
pub(super) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        _ => {}
    }
    number(text).unwrap_or_else(|| Plain::Text(text.into()))
}

/// The number that a text spells, if it spells one.
pub(super) fn number(text: &str) -> Option<Plain> {
    let text = text.trim();
    let radix = |prefix: &str, radix| {
        let digits = text.strip_prefix(prefix)?;
        digits.bytes().all(|b| b.is_ascii_alphanumeric()).then(|| u64::from_str_radix(digits, radix).ok())?
    };
    if let Some(value) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Plain::Unsigned(value));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            return Some(Plain::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        ".nan" | ".NaN" | ".NAN" if unsigned == text => return Some(Plain::Float(f64::NAN)),
        _ => {}
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Ok(value) = text.parse() {
        return Some(Plain::Unsigned(value));
    }
    if let Ok(value) = text.parse() {
        return Some(Plain::Signed(value));
    }
    text.parse().ok().map(Plain::Float)
}
