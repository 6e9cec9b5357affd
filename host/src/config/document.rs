//! A YAML file with a schema of its own, read with positions as a configuration file is.

use super::check::{self, Checked};
use super::error::{ConfigError, Problem};
use super::keys::Key;
use super::load::Layered;
use super::node::Node;
use super::origin::{self, Origin};
use super::{rules, yaml};
use figment::Figment;
use figment::providers::Serialized;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::path::Path;

/// What a file says, and where it says it.
#[derive(Debug, Clone)]
pub struct Document<T> {
    /// Its values, with the defaults of those that it leaves out.
    pub value: T,
    file: Origin,
    origins: BTreeMap<String, Origin>,
}

impl<T: JsonSchema + Serialize + DeserializeOwned + Default> Document<T> {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Text that is no YAML mapping, unknown keys, and values that cannot be: each with file, line and key.
    pub fn read(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = Origin::File { path: path.into(), line: 0, column: 0 };
        let broken = |origin: Origin, message: String| ConfigError::from(Problem::Source { origin, message });
        let node = match yaml::parse(text) {
            Ok(Some(node @ Node::Map(_))) => node,
            Ok(Some(node)) => return Err(broken(file, format!("expected keys and values, found {}", node.brief()))),
            Ok(None) => return Err(broken(file, "expected keys and values, found nothing".into())),
            Err(error) => return Err(broken(file.at(Some(error.mark)), error.message)),
        };
        let root = Key::of::<T>();
        let Checked { values, origins, mut problems } = check::check(&root, &node, &file);
        let conversion = |error: String| ConfigError::from(Problem::Conversion(error));
        let layers = Figment::from(Serialized::defaults(T::default())).merge(Layered { name: "file".into(), values });
        let value: T = layers.extract().map_err(|error| conversion(error.to_string()))?;
        let json = serde_json::to_value(&value).map_err(|error| conversion(error.to_string()))?;
        problems.extend(rules::ranges(&root, &json, &origins));
        if problems.is_empty() { Ok(Self { value, file, origins }) } else { Err(ConfigError { problems }) }
    }
}

impl<T> Document<T> {
    /// Whether the file has this dotted key.
    pub fn has(&self, key: &str) -> bool {
        self.place(key) != self.file
    }

    /// File, line and column of a dotted key; of a section, those of its first value; the file where it has no such key.
    pub fn place(&self, key: &str) -> Origin {
        match origin::find(&self.origins, key) {
            Origin::Default => self.file.clone(),
            origin => origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Map, Value, json};

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Shelf {
        #[schemars(length(min = 1))]
        name: String,
        words: Vec<String>,
        numbers: Option<Vec<f64>>,
        free: Map<String, Value>,
    }

    fn read(text: &str) -> Result<Document<Shelf>, ConfigError> {
        Document::read(Path::new("a/shelf.yaml"), text)
    }

    #[test]
    fn values_come_with_their_places() {
        let shelf = read("name: a\nwords: [x, 1]\nnumbers: [0.5, 1]\nfree:\n  deep: {er: 2}\n").unwrap();
        assert_eq!(
            (shelf.value.words.as_slice(), shelf.value.numbers.as_deref()),
            (["x", "1"].map(String::from).as_slice(), Some([0.5, 1.0].as_slice()))
        );
        assert_eq!(Value::from(shelf.value.free.clone()), json!({"deep": {"er": 2}}));
        assert_eq!(shelf.place("words").to_string(), "a/shelf.yaml:2:1");
        assert_eq!(shelf.place("free.deep").to_string(), "a/shelf.yaml:5:10");
        assert!(!read("name: a").unwrap().has("words"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, part) in [
            ("", "a/shelf.yaml: expected keys and values, found nothing"),
            ("[1]", "a/shelf.yaml: expected keys and values, found [1]"),
            ("name: a\nname: b", "a/shelf.yaml:2:1: the key `name` a second time"),
            ("name: a\n\nword: [x]", "`word` = [x] (a/shelf.yaml:3:1): unknown key; did you mean `words`?"),
            ("words: x", "`words` = x (a/shelf.yaml:1:1): expected a list of texts"),
            ("name: \"\"", "`name` = \"\" (a/shelf.yaml:1:1): expected text that is not empty"),
            ("numbers: [a]", "`numbers` = [a] (a/shelf.yaml:1:1): expected a list of numbers"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
}
