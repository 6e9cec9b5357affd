//! Keys of InnerEye's files that never had an effect there, and have none here: accepted with a warning, so that its
//! files load as they are.

use super::node::{Entry, Node};
use super::origin::Origin;

/// The dotted keys, and what serves their purpose.
const KEYS: [(&str, &str); 6] = [
    ("augmentation.label_smoothing.epsilon", "nothing: labels are not smoothed"),
    ("augmentation.use_label_smoothing", "nothing: labels are not smoothed"),
    ("preprocess.histogram_normalization.disk_size", "`preprocess.clahe.tiles`, with `preprocess.use_clahe`"),
    ("preprocess.use_center_crop", "`preprocess.center_crop_size`, which crops where it is set"),
    ("preprocess.use_histogram_normalization", "`preprocess.use_histogram_equalization` or `preprocess.use_clahe`"),
    ("preprocess.use_resize", "`preprocess.resize`, which resizes where it is set"),
];

/// Why these keys are still known.
const REASON: &str = "has no effect and never had one; it is accepted so that files written for InnerEye load";

/// What a key without effect, or the section of one, was and what serves its purpose now.
pub(super) fn explain(path: &str) -> Option<String> {
    let is_within = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let (key, instead) = KEYS.iter().find(|(key, _)| is_within(key))?;
    Some(format!("{key}\n  It {REASON}.\n  instead: {instead}\n"))
}

/// A key that was set and has no effect.
#[derive(Debug, Clone, PartialEq)]
pub struct IgnoredKey {
    /// The dotted key.
    pub key: &'static str,
    /// Where it was set.
    pub origin: Origin,
}

impl std::fmt::Display for IgnoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({}) {REASON}", self.key, self.origin)
    }
}

/// Takes the keys without effect out of a layer.
pub(super) fn take(node: &mut Node, origin: &Origin) -> Vec<IgnoredKey> {
    let found = KEYS.iter().filter_map(|(key, _)| {
        let path: Vec<&str> = key.split('.').collect();
        let entry = remove(node, &path)?;
        Some(IgnoredKey { key, origin: origin.at(entry.mark) })
    });
    found.collect()
}

/// Removes the entry at a path, and the sections that it leaves empty.
fn remove(node: &mut Node, path: &[&str]) -> Option<Entry> {
    let Node::Map(entries) = node else { return None };
    let (name, inner) = path.split_first()?;
    let index = entries.iter().position(|entry| entry.key == *name)?;
    if inner.is_empty() {
        return Some(entries.remove(index));
    }
    let removed = remove(&mut entries[index].value, inner)?;
    if matches!(&entries[index].value, Node::Map(left) if left.is_empty()) {
        entries.remove(index);
    }
    Some(removed)
}
