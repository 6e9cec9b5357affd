//! The schema as a tree of keys, read from its JSON schema, so that type, range, default and documentation of a key
//! are written once.

use super::role::Role;
use super::schema::Config;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// One key, or the section that the key opens.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// The dotted key; empty for the whole configuration.
    pub path: String,
    pub doc: String,
    pub kind: Kind,
    /// Whether the key may be null, which is the same as leaving it out.
    pub nullable: bool,
    pub default: Value,
    /// What the key decides: as it states, else as its section does.
    pub role: Option<Role>,
}

/// What a key takes.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Section(Vec<Key>),
    /// A list of sections, all with these keys; the keys' paths leave the place in the list out.
    Sections(Vec<Key>),
    /// Keys and values that the schema does not know.
    Free,
    Flag,
    Integer(Range),
    Number(Range),
    /// Text of at least so many characters.
    Text(u64),
    /// One of these words, each with its documentation.
    Choice(Vec<(String, String)>),
    /// An integer, or one of these words.
    IntegerOr(Range, Vec<(String, String)>),
    Numbers(Numbers),
    /// A list of texts.
    Texts,
}

/// A list of exactly so many numbers; of any number of them where the count is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub count: usize,
    pub range: Range,
    /// Whether none may be larger than the next one.
    pub is_ordered: bool,
}

/// Bounds of a number; `true` marks a bound that is itself excluded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    pub min: Option<(f64, bool)>,
    pub max: Option<(f64, bool)>,
}

impl Key {
    /// The whole configuration.
    pub fn root() -> Key {
        Key::of::<Config>()
    }

    /// The keys of a file whose content is a `T`.
    pub fn of<T: JsonSchema + Serialize + Default>() -> Key {
        let schema = schemars::schema_for!(T).to_value();
        let none = Map::new();
        let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&none);
        let defaults = serde_json::to_value(T::default()).unwrap_or_default();
        read(&schema, definitions, String::new(), defaults, Decided::default())
    }

    /// The last segment of the dotted key.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// The keys of a section, or of each section of a list; nothing for any other key.
    pub fn children(&self) -> &[Key] {
        match &self.kind {
            Kind::Section(keys) | Kind::Sections(keys) => keys,
            _ => &[],
        }
    }

    /// The child of this name.
    pub fn child(&self, name: &str) -> Option<&Key> {
        self.children().iter().find(|key| key.name() == name)
    }

    /// One of the sections of a list, with its place in the paths.
    pub fn entry(&self, place: usize) -> Key {
        fn moved(key: &Key, from: &str, to: &str) -> Key {
            let path = key.path.replacen(from, to, 1);
            let inner = |keys: &[Key]| keys.iter().map(|key| moved(key, from, to)).collect();
            let kind = match &key.kind {
                Kind::Section(keys) => Kind::Section(inner(keys)),
                Kind::Sections(keys) => Kind::Sections(inner(keys)),
                kind => kind.clone(),
            };
            Key { path, kind, ..key.clone() }
        }
        let section = Key { kind: Kind::Section(self.children().to_vec()), ..self.clone() };
        moved(&section, &self.path, &self.join(&place.to_string()))
    }

    /// The key at this dotted path, which may name places in lists; inside a free mapping, that mapping.
    pub fn find(&self, path: &str) -> Option<&Key> {
        let mut key = self;
        for name in path.split('.') {
            match key.kind {
                Kind::Free => return Some(key),
                Kind::Sections(_) if name.parse::<usize>().is_ok() => {}
                _ => key = key.child(name)?,
            }
        }
        Some(key)
    }

    /// This key and all below it.
    pub fn all(&self) -> Vec<&Key> {
        std::iter::once(self).chain(self.children().iter().flat_map(Key::all)).collect()
    }

    /// The dotted key of a child.
    pub fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }

    /// What is allowed, in words.
    pub fn expected(&self) -> String {
        let words = match &self.kind {
            Kind::Section(keys) => format!("a section with the keys {}", list(keys.iter().map(Key::name))),
            Kind::Sections(keys) => {
                format!("a list of sections with the keys {}", list(keys.iter().map(Key::name)))
            }
            Kind::Free => "a section of keys and values".into(),
            Kind::Flag => "true or false".into(),
            Kind::Integer(range) => format!("an integer{range}"),
            Kind::Number(range) => format!("a number{range}"),
            Kind::Text(0) => "text".into(),
            Kind::Text(_) => "text that is not empty".into(),
            Kind::Choice(words) if words.len() == 1 => list(words.iter().map(|(word, _)| word.as_str())),
            Kind::Choice(words) => format!("one of {}", list(words.iter().map(|(word, _)| word.as_str()))),
            Kind::IntegerOr(range, words) => {
                format!("an integer{range}, or one of {}", list(words.iter().map(|(word, _)| word.as_str())))
            }
            Kind::Texts => "a list of texts".into(),
            Kind::Numbers(Numbers { count: 0, range, .. }) => format!("a list of numbers, each{range}"),
            Kind::Numbers(Numbers { count, range: Range { min: None, max: None }, .. }) => {
                format!("a list of {count} numbers")
            }
            Kind::Numbers(Numbers { count, range, .. }) => format!("a list of {count} numbers, each{range}"),
        };
        if self.nullable { words + ", or null" } else { words }
    }
}

impl Range {
    pub fn contains(&self, value: f64) -> bool {
        let above = self.min.is_none_or(|(min, open)| if open { value > min } else { value >= min });
        let below = self.max.is_none_or(|(max, open)| if open { value < max } else { value <= max });
        above && below
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (None, None) => Ok(()),
            (Some((min, false)), None) => write!(f, " of at least {min}"),
            (Some((min, true)), None) => write!(f, " above {min}"),
            (None, Some((max, false))) => write!(f, " of at most {max}"),
            (None, Some((max, true))) => write!(f, " below {max}"),
            (Some((min, open)), Some((max, half))) => {
                write!(f, " in {}{min}, {max}{}", if open { '(' } else { '[' }, if half { ')' } else { ']' })
            }
        }
    }
}

/// The JSON schema of a configuration as loaded: all keys there, each of its own type.
pub(super) fn json_schema() -> Value {
    schemars::schema_for!(Config).to_value()
}

/// `a, b, c`, each in backticks.
pub(super) fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// What the sections around a key say of its role.
#[derive(Debug, Clone, Copy, Default)]
struct Decided {
    role: Option<Role>,
    /// Whether keys below have this role whatever they state: they are shared with another section.
    within: bool,
}

impl Decided {
    fn by(self, schema: &Value) -> Self {
        let stated = |field: &str| schema.get(field).and_then(|role| Role::deserialize(role).ok());
        match (stated("x-role-within"), stated("x-role")) {
            _ if self.within => self,
            (Some(role), _) => Self { role: Some(role), within: true },
            (None, Some(role)) => Self { role: Some(role), within: false },
            (None, None) => self,
        }
    }
}

/// The key that a JSON schema describes.
fn read(schema: &Value, definitions: &Map<String, Value>, path: String, default: Value, enclosing: Decided) -> Key {
    let decided = enclosing.by(schema);
    let optional = schema.get("anyOf").and_then(|any| any.get(0));
    let target = resolved(optional.unwrap_or(schema), definitions).unwrap_or(schema);
    let section = |target: &Value| {
        let (own, others) = (target.get("properties").and_then(Value::as_object), overridden(target, definitions));
        let key = |(name, schema): (&String, &Value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            read(schema, definitions, path, default.get(name).cloned().unwrap_or_default(), decided)
        };
        let is_section = own.is_some() || others.is_some();
        is_section.then(|| own.into_iter().flatten().chain(others.into_iter().flatten()).map(key).collect())
    };
    let items = target.get("items").and_then(|items| resolved(items, definitions));
    let kind = match type_of(target) {
        "object" => section(target).map_or(Kind::Free, Kind::Section),
        "boolean" => Kind::Flag,
        "integer" => Kind::Integer(range(target)),
        "number" => Kind::Number(range(target)),
        "array" => match items.and_then(section) {
            Some(keys) => Kind::Sections(keys),
            None if target.get("items").is_some_and(|items| type_of(items) == "string") => Kind::Texts,
            None => {
                let count = target.get("minItems").and_then(Value::as_u64).unwrap_or_default() as usize;
                let is_ordered = schema.get("x-ordered").is_some();
                Kind::Numbers(Numbers { count, range: target.get("items").map(range).unwrap_or_default(), is_ordered })
            }
        },
        _ => match choices(target) {
            words if words.is_empty() => Kind::Text(target.get("minLength").and_then(Value::as_u64).unwrap_or(0)),
            words => match integer_beside(target) {
                Some(range) => Kind::IntegerOr(range, words),
                None => Kind::Choice(words),
            },
        },
    };
    let nullable = optional.is_some() || schema.get("type").is_some_and(Value::is_array);
    let doc = text(schema, "description").or_else(|| text(target, "description")).unwrap_or_default();
    Key { path, doc: doc.replace('\n', " "), kind, nullable, default, role: decided.role }
}

/// The keys of another section, which its `x-overrides` names, that a section takes too, and their schemas: all but those
/// that state that they are common (`x-common`).
pub(super) fn overridden<'a>(
    schema: &Value,
    definitions: &'a Map<String, Value>,
) -> Option<Vec<(&'a String, &'a Value)>> {
    let other = schema.get("x-overrides").and_then(Value::as_str)?;
    let properties = definitions.get(other)?.get("properties")?.as_object()?;
    Some(properties.iter().filter(|(_, key)| key.get("x-common").is_none()).collect())
}

/// The definition that a schema refers to.
fn resolved<'a>(schema: &Value, definitions: &'a Map<String, Value>) -> Option<&'a Value> {
    let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    definitions.get(name)
}

/// The type that is not null.
pub(super) fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or(""),
        _ => "",
    }
}

fn range(schema: &Value) -> Range {
    let bound = |closed: &str, open: &str| {
        let at = |name: &str| schema.get(name).and_then(Value::as_f64);
        at(open).map(|value| (value, true)).or_else(|| at(closed).map(|value| (value, false)))
    };
    Range { min: bound("minimum", "exclusiveMinimum"), max: bound("maximum", "exclusiveMaximum") }
}

fn choices(schema: &Value) -> Vec<(String, String)> {
    let documented = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    documented.filter_map(|one| Some((text(one, "const")?, text(one, "description").unwrap_or_default()))).collect()
}

/// The range of the integer that may stand instead of a word.
fn integer_beside(schema: &Value) -> Option<Range> {
    schema.get("oneOf")?.as_array()?.iter().find(|one| type_of(one) == "integer").map(range)
}

fn text(schema: &Value, field: &str) -> Option<String> {
    schema.get(field).and_then(Value::as_str).map(str::to_owned)
}
