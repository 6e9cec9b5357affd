//! Where a value came from.

use super::node::Mark;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The schema's default.
    Default,
    /// A plugin, for the data set or encoder named here.
    Recommended(String),
    /// A configuration file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// Line of the key, from 1; 0 stands for the file as a whole.
        line: usize,
        /// Column of the key, from 1; 0 stands for the file as a whole.
        column: usize,
    },
    /// The environment variable of this name.
    Variable(String),
    /// The flag, as it was given.
    Flag(String),
}

impl Origin {
    /// The same source at another place, for a source that has places.
    pub(super) fn at(&self, mark: Option<Mark>) -> Origin {
        match (self, mark) {
            (Origin::File { path, .. }, Some(mark)) => {
                Origin::File { path: path.clone(), line: mark.line, column: mark.column }
            }
            _ => self.clone(),
        }
    }
}

/// Where a key was set: a section by the first value set below it, a key of a list's entry by the list.
pub(super) fn find(origins: &BTreeMap<String, Origin>, key: &str) -> Origin {
    let below = format!("{key}.");
    let inside = origins.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
    let above = key.rmatch_indices('.').find_map(|(dot, _)| origins.get(&key[..dot]));
    let set = inside.map(|(_, origin)| origin).find(|origin| **origin != Origin::Default);
    origins.get(key).or(set).or(above).cloned().unwrap_or(Origin::Default)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::Recommended(by) => write!(f, "recommended by {by}"),
            Origin::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Origin::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Origin::Variable(name) => write!(f, "variable {name}"),
            Origin::Flag(flag) => write!(f, "{flag}"),
        }
    }
}
