//! Reads every layer of a configuration, in order.

use super::error::Problem;
use super::node::{Entry, Node, Plain};
use super::origin::Origin;
use super::sources::{Sources, Texts};
use super::yaml;
use crate::home;
use std::path::{Path, PathBuf};

/// The most files that one configuration is read from, each counted as often as it is named: two that name the same two files
/// double with every level.
const MAX_FILES: usize = 256;
/// What a key of one's own at the top of a file begins with: a place for anchors, which is passed over.
const OWN_KEY: &str = "x-";
/// Variables of the program that are no configuration keys.
const NOT_KEYS: [&str; 6] = [
    "SELFSAME_PLUGINS",
    "SELFSAME_STRICT_PLUGINS",
    "SELFSAME_ALLOWED_PLUGINS",
    "SELFSAME_LIBTORCH",
    "SELFSAME_WITHOUT_LIBTORCH",
    "SELFSAME_ENVIRONMENT",
];
const PREFIX: &str = "SELFSAME_";

/// The values of one source.
#[derive(Debug)]
pub(super) struct Layer {
    pub origin: Origin,
    /// A mapping.
    pub node: Node,
}

/// All layers above the defaults, the strongest last.
pub(super) fn read(sources: &Sources, problems: &mut Vec<Problem>) -> Vec<Layer> {
    let mut layers = Vec::new();
    for by in &sources.recommended {
        let origin = Origin::Recommended(by.origin.clone());
        match Node::from(&by.values) {
            node @ Node::Map(_) => layers.push(Layer { origin, node }),
            node if node.plain() == Some(Plain::Null) => {}
            node => {
                let message = format!("expected keys and values, found {}", node.brief());
                problems.push(Problem::Source { origin, message });
            }
        }
    }
    let mut reader =
        Reader { texts: &sources.texts, above: Vec::new(), left: MAX_FILES + 1, layers: &mut layers, problems };
    for path in &sources.files {
        reader.file(path, None);
    }
    let mut variables: Vec<_> = sources.env.iter().filter(|(name, _)| is_key(name)).collect();
    variables.sort();
    for (name, value) in variables {
        let key = name[PREFIX.len()..].to_lowercase().replace("__", ".");
        let example = "; write it like SELFSAME_TRAIN__BATCH_SIZE=64";
        push(Origin::Variable(name.clone()), &key, value, example, &mut layers, problems);
    }
    for set in &sources.sets {
        let origin = Origin::Flag(format!("--set {set}"));
        let example = "; write it like --set train.batch_size=64";
        match set.split_once('=') {
            Some((key, value)) => push(origin, key.trim(), value, example, &mut layers, problems),
            None => problems.push(Problem::Source { origin, message: format!("has no `=`{example}") }),
        }
    }
    layers
}

fn is_key(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
        && NOT_KEYS.iter().all(|other| !other.eq_ignore_ascii_case(name))
}

/// Adds the layer of one dotted key and its value, written in YAML.
fn push(origin: Origin, key: &str, value: &str, example: &str, layers: &mut Vec<Layer>, problems: &mut Vec<Problem>) {
    let path: Vec<&str> = key.split('.').collect();
    if path.iter().any(|name| name.is_empty()) {
        let message = match key {
            "" => format!("names no key{example}"),
            _ => format!("the key `{key}` has an empty part{example}"),
        };
        problems.push(Problem::Source { origin, message });
        return;
    }
    match yaml::parse(value) {
        Ok(node) => {
            let node = node.unwrap_or(Node::Scalar { text: String::new(), plain: true });
            layers.push(Layer { origin, node: Node::nested(&path, node) });
        }
        Err(error) => problems.push(Problem::Value {
            key: key.into(),
            value: format!("{value:?}"),
            origin,
            expected: format!("a YAML value, but it is {}", error.message),
        }),
    }
}

/// Reads files and those that they extend.
struct Reader<'a> {
    texts: &'a Texts,
    /// The files that led to the one at hand.
    above: Vec<PathBuf>,
    /// How many files may still be read, and one more, which is refused.
    left: usize,
    layers: &'a mut Vec<Layer>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn fail(&mut self, origin: Origin, message: String) {
        self.problems.push(Problem::Source { origin, message });
    }

    /// Adds the layers of a file: first those that it extends, then its own.
    fn file(&mut self, path: &Path, extended_by: Option<&Origin>) {
        let origin = Origin::File { path: path.into(), line: 0, column: 0 };
        let by = || extended_by.cloned().unwrap_or(origin.clone());
        match self.left {
            0 => return,
            1 => {
                let message = "leads to more files than a configuration may have, each counted as often as it is named";
                self.fail(by(), format!("`extends` {message}: {MAX_FILES}"));
            }
            _ => {}
        }
        self.left -= 1;
        if self.left == 0 {
            return;
        }
        let text = match self.texts.read(path) {
            Ok(text) => text,
            Err(error) => {
                let by = extended_by.map(|by| format!(", extended by {by},")).unwrap_or_default();
                return self.fail(origin, format!("the configuration file{by} cannot be read: {error}"));
            }
        };
        // A pipe has no other name.
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.above.contains(&canonical) {
            return self.fail(by(), format!("`extends` goes round in a circle back to {}", path.display()));
        }
        let mut entries = match yaml::parse(&text) {
            Ok(None) => return,
            Ok(Some(Node::Map(entries))) => entries,
            Ok(Some(Node::Scalar { text, plain: true })) if text.is_empty() => return,
            Ok(Some(node)) => {
                let found = node.brief();
                return self.fail(origin, format!("expected keys and values such as `train:`, found {found}"));
            }
            Err(error) => return self.fail(origin.at(Some(error.mark)), error.message),
        };
        entries.retain(|entry| !entry.key.starts_with(OWN_KEY));
        if let Some(index) = entries.iter().position(|entry| entry.key == "extends") {
            let entry = entries.remove(index);
            self.extended(&entry, path, canonical, &origin.at(entry.mark));
        }
        self.layers.push(Layer { origin, node: Node::Map(entries) });
    }

    /// Reads the files that the one at `path` names.
    fn extended(&mut self, entry: &Entry, path: &Path, canonical: PathBuf, at: &Origin) {
        let refused = |expected: String| Problem::Value {
            key: "extends".into(),
            value: entry.value.brief(),
            origin: at.clone(),
            expected,
        };
        let Some(names) = extended(entry) else {
            self.problems.push(refused("a path or a list of paths, relative to this file".into()));
            return;
        };
        self.above.push(canonical);
        let folder = path.parent().unwrap_or(Path::new(""));
        for name in names {
            match home::expanded(Path::new(name)) {
                Ok(name) => self.file(&folder.join(name), Some(at)),
                Err(expected) => self.problems.push(refused(expected.into())),
            }
        }
        self.above.pop();
    }
}

/// The paths of an `extends`.
fn extended(entry: &Entry) -> Option<Vec<&str>> {
    let nodes = match &entry.value {
        Node::List(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    nodes
        .iter()
        .map(|node| match node {
            Node::Scalar { text, .. } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
        .collect()
}
