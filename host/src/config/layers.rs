//! Reads every layer of a configuration, in order.

use super::error::Problem;
use super::node::{Entry, Node};
use super::origin::Origin;
use super::sources::Sources;
use super::yaml;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest configuration file, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Variables of the program that are no configuration keys.
const NOT_KEYS: [&str; 2] = ["SELFSAME_PLUGINS", "SELFSAME_STRICT_PLUGINS"];
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
            node => {
                let message = format!("expected keys and values, found {}", node.brief());
                problems.push(Problem::Source { origin, message });
            }
        }
    }
    for path in &sources.files {
        read_file(path, None, &mut Vec::new(), &mut layers, problems);
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

/// Adds the layers of a file: first those that it extends, then its own. `above` are the files that led here.
fn read_file(
    path: &Path,
    extended_by: Option<&Origin>,
    above: &mut Vec<PathBuf>,
    layers: &mut Vec<Layer>,
    problems: &mut Vec<Problem>,
) {
    let origin = Origin::File { path: path.into(), line: 0, column: 0 };
    let mut fail = |origin: Origin, message: String| problems.push(Problem::Source { origin, message });
    let (text, canonical) = match read_text(path).and_then(|text| Ok((text, path.canonicalize()?))) {
        Ok(found) => found,
        Err(error) => {
            let by = extended_by.map(|by| format!(", extended by {by},")).unwrap_or_default();
            return fail(origin, format!("the configuration file{by} cannot be read: {error}"));
        }
    };
    if above.contains(&canonical) {
        let by = extended_by.cloned().unwrap_or(origin);
        return fail(by, format!("`extends` goes round in a circle back to {}", path.display()));
    }
    let mut entries = match yaml::parse(&text) {
        Ok(None) => return,
        Ok(Some(Node::Map(entries))) => entries,
        Ok(Some(Node::Scalar { text, plain: true })) if text.is_empty() => return,
        Ok(Some(node)) => {
            let found = node.brief();
            return fail(origin, format!("expected keys and values such as `train:`, found {found}"));
        }
        Err(error) => return fail(origin.at(Some(error.mark)), error.message),
    };
    if let Some(index) = entries.iter().position(|entry| entry.key == "extends") {
        let entry = entries.remove(index);
        let at = origin.at(entry.mark);
        match extended(&entry) {
            Some(names) => {
                above.push(canonical);
                let folder = path.parent().unwrap_or(Path::new(""));
                for name in names {
                    read_file(&folder.join(name), Some(&at), above, layers, problems);
                }
                above.pop();
            }
            None => problems.push(Problem::Value {
                key: "extends".into(),
                value: entry.value.brief(),
                origin: at,
                expected: "a path or a list of paths, relative to this file".into(),
            }),
        }
    }
    layers.push(Layer { origin, node: Node::Map(entries) });
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

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_BYTES {
        return Err(std::io::Error::other(format!("it is longer than {MAX_BYTES} bytes")));
    }
    Ok(text)
}
