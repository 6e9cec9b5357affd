//! Gives one layer's values the types that the schema asks for, and finds everything that does not fit.

use super::error::Problem;
use super::keys::{Key, Kind, Range, list};
use super::node::{Mark, Node, Plain, number};
use super::origin::Origin;
use super::yaml;
use figment::value::{Dict, Empty, Value};
use std::collections::BTreeMap;

/// A layer's values with their types, and where each came from.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub values: Dict,
    pub origins: BTreeMap<String, Origin>,
    pub problems: Vec<Problem>,
}

/// Checks a layer, a mapping, against the whole schema.
pub(super) fn check(root: &Key, node: &Node, origin: &Origin) -> Checked {
    let mut walk = Walk { root, origin, origins: BTreeMap::new(), problems: Vec::new() };
    let values = walk.section(root, node, &None);
    Checked { values, origins: walk.origins, problems: walk.problems }
}

/// What the key would be, written as another one: ` …; did you mean `x`?`, or the keys that there are.
pub(super) fn hint(root: &Key, section: &Key, name: &str) -> String {
    if root.find(&section.join(name)).is_some() {
        return "; write it nested, one level a line".into();
    }
    let wanted = section.join(name);
    let near = |key: &Key| strsim::damerau_levenshtein(key.name(), name);
    let sibling = section.children().iter().min_by_key(|key| near(key)).filter(|key| near(key) <= reach(name));
    let elsewhere = || {
        let distance = |key: &Key| near(key).min(strsim::damerau_levenshtein(&key.path, &wanted));
        // Of equally near ones, the shortest.
        root.all()
            .into_iter()
            .skip(1)
            .min_by_key(|key| (distance(key), key.path.len()))
            .filter(|key| distance(key) <= reach(name))
    };
    match sibling.or_else(elsewhere) {
        Some(key) => format!("; did you mean `{}`?", key.path),
        None => format!("; known here: {}", list(section.children().iter().map(Key::name))),
    }
}

/// How many slips still make a word recognisable.
pub(super) fn reach(word: &str) -> usize {
    (word.chars().count() / 3).max(1)
}

struct Walk<'a> {
    root: &'a Key,
    origin: &'a Origin,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn section(&mut self, section: &Key, node: &Node, mark: &Option<Mark>) -> Dict {
        let mut values = Dict::new();
        let entries = match node {
            Node::Map(entries) => entries,
            _ if node.plain() == Some(Plain::Null) => return values,
            _ => {
                self.refuse(section, node, mark, section.expected());
                return values;
            }
        };
        for entry in entries {
            let Some(key) = section.child(&entry.key) else {
                let hint = hint(self.root, section, &entry.key);
                self.problems.push(Problem::UnknownKey {
                    key: section.join(&entry.key),
                    value: (!matches!(entry.value, Node::Map(_))).then(|| entry.value.brief()),
                    origin: self.origin.at(entry.mark),
                    hint: format!("{hint}{}", self.of_variables(&hint)),
                });
                continue;
            };
            if let Some(value) = self.value(key, &entry.value, &entry.mark) {
                values.insert(entry.key.clone(), value);
            }
        }
        values
    }

    fn value(&mut self, key: &Key, node: &Node, mark: &Option<Mark>) -> Option<Value> {
        let value = match &key.kind {
            Kind::Section(_) => return Some(self.section(key, node, mark).into()),
            Kind::Sections(_) => match node {
                Node::List(items) => {
                    let entry = |(place, item)| Value::from(self.section(&key.entry(place), item, mark));
                    Some(items.iter().enumerate().map(entry).collect::<Vec<_>>().into())
                }
                _ if node.plain() == Some(Plain::Null) => Some(Vec::<Value>::new().into()),
                _ => None,
            },
            Kind::Free => match node {
                Node::Map(_) => return self.free(&key.path, node, mark),
                _ if node.plain() == Some(Plain::Null) => return None,
                _ => None,
            },
            _ if key.nullable && is_none(node) => Some(Value::from(Empty::None)),
            Kind::Flag => match node.plain() {
                Some(Plain::Bool(value)) => Some(value.into()),
                _ => None,
            },
            Kind::Integer(range) => integer(node, range),
            Kind::Number(_) => float(node),
            Kind::Text(_) => match node.plain() {
                Some(Plain::Text(text)) => Some(text.into()),
                _ => None,
            },
            Kind::Choice(words) => match node.plain() {
                Some(Plain::Text(text)) if words.iter().any(|(word, _)| *word == text) => Some(text.into()),
                _ => None,
            },
            Kind::IntegerOr(range, words) => integer(node, range).or_else(|| match node.plain() {
                Some(Plain::Text(text)) if words.iter().any(|(word, _)| *word == text) => Some(text.into()),
                _ => None,
            }),
            Kind::Numbers(numbers) => {
                let fits = |values: &Vec<Value>| numbers.count == 0 || values.len() == numbers.count;
                floats(node).filter(fits).map(Value::from)
            }
            Kind::Texts => texts(node).map(Value::from),
        };
        match value {
            Some(_) => {
                self.origins.insert(key.path.clone(), self.origin.at(*mark));
            }
            None => self.refuse(key, node, mark, key.expected() + &advice(key, node)),
        }
        value
    }

    /// A value that no schema knows: types are those of YAML.
    fn free(&mut self, path: &str, node: &Node, mark: &Option<Mark>) -> Option<Value> {
        let value = match node {
            Node::Map(entries) => {
                let mut values = Dict::new();
                for entry in entries {
                    let value = self.free(&format!("{path}.{}", entry.key), &entry.value, &entry.mark)?;
                    values.insert(entry.key.clone(), value);
                }
                return Some(values.into());
            }
            Node::List(items) => {
                items.iter().map(|item| self.free(path, item, mark)).collect::<Option<Vec<_>>>()?.into()
            }
            Node::Scalar { .. } => match node.plain()? {
                Plain::Null => Empty::None.into(),
                Plain::Bool(value) => value.into(),
                Plain::Unsigned(value) => value.into(),
                Plain::Signed(value) => value.into(),
                Plain::Float(value) if value.is_finite() => value.into(),
                Plain::Float(_) => {
                    self.problems.push(Problem::Value {
                        key: path.into(),
                        value: node.brief(),
                        origin: self.origin.at(*mark),
                        expected: "a finite number".into(),
                    });
                    return None;
                }
                Plain::Text(text) => text.into(),
            },
        };
        self.origins.insert(path.into(), self.origin.at(*mark));
        Some(value)
    }

    /// What has to be known of a variable that is nobody's misspelt key.
    fn of_variables(&self, hint: &str) -> &'static str {
        match self.origin {
            Origin::Variable(_) if !hint.ends_with('?') => {
                "; every variable that begins with `SELFSAME_` is read as a key: unset this one, or rename it"
            }
            _ => "",
        }
    }

    fn refuse(&mut self, key: &Key, node: &Node, mark: &Option<Mark>, expected: String) {
        self.problems.push(Problem::Value {
            key: key.path.clone(),
            value: node.brief(),
            origin: self.origin.at(*mark),
            expected,
        });
    }
}

/// Null, or Python's `None`.
fn is_none(node: &Node) -> bool {
    node.plain() == Some(Plain::Null) || matches!(node, Node::Scalar { text, plain: true } if text == "None")
}

/// The number that a scalar spells, quoted or not.
fn numeral(node: &Node) -> Option<Plain> {
    match node {
        Node::Scalar { text, .. } => number(text),
        _ => None,
    }
}

/// An integer; one below zero only where the range allows it, since most keys have no sign at all.
fn integer(node: &Node, range: &Range) -> Option<Value> {
    match numeral(node)? {
        Plain::Unsigned(value) if i64::try_from(value).is_ok() => Some(value.into()),
        Plain::Signed(value) if range.contains(value as f64) => Some(value.into()),
        _ => None,
    }
}

fn float(node: &Node) -> Option<Value> {
    let value = match numeral(node)? {
        Plain::Unsigned(value) => value as f64,
        Plain::Signed(value) => value as f64,
        Plain::Float(value) => value,
        _ => return None,
    };
    value.is_finite().then(|| value.into())
}

/// The texts of a list; what is written without quotes is a text too, as `0` and `yes` may be.
fn texts(node: &Node) -> Option<Vec<Value>> {
    let text = |item: &Node| match item {
        Node::Scalar { text, .. } => Some(Value::from(text.clone())),
        _ => None,
    };
    match node {
        Node::List(items) => items.iter().map(text).collect(),
        _ => None,
    }
}

/// The numbers of a list, or of a text such as `(0.15, 0.4)`.
fn floats(node: &Node) -> Option<Vec<Value>> {
    match node {
        Node::List(items) => items.iter().map(float).collect(),
        Node::Scalar { text, .. } => {
            let text = text.trim();
            let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let inner = inner.or_else(|| text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')))?;
            match yaml::parse(&format!("[{inner}]")) {
                Ok(Some(Node::List(items))) => items.iter().map(float).collect(),
                _ => None,
            }
        }
        Node::Map(_) => None,
    }
}

/// What to do about a value that does not fit, where that is not plain from what is expected.
fn advice(key: &Key, node: &Node) -> String {
    let Node::Scalar { text, plain } = node else { return String::new() };
    match &key.kind {
        Kind::Choice(words) | Kind::IntegerOr(_, words) => {
            let bare = |word: &str| word.to_lowercase().replace(['_', '-', ' '], "");
            let near = |word: &str| strsim::damerau_levenshtein(&bare(word), &bare(text));
            let nearest = words.iter().map(|(word, _)| word).min_by_key(|word| near(word));
            match nearest.filter(|word| near(word) <= reach(text)) {
                Some(word) => format!("; did you mean `{word}`?"),
                None => String::new(),
            }
        }
        Kind::Text(_) if *plain && !text.is_empty() => format!("; quote it to mean the text {text:?}"),
        Kind::Number(_) | Kind::Integer(_) => match numeral(node) {
            Some(Plain::Float(value)) if !value.is_finite() => "; a finite one".into(),
            Some(Plain::Unsigned(_)) => format!("; at most {}", i64::MAX),
            _ => String::new(),
        },
        _ => String::new(),
    }
}
