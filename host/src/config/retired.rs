//! Keys of InnerEye's files that never had an effect there, and have none here: accepted with a warning, so that its
//! files load as they are.

use super::node::{Entry, Node};
use super::origin::Origin;

/// The dotted keys.
const KEYS: [&str; 6] = [
    "augmentation.label_smoothing.epsilon",
    "augmentation.use_label_smoothing",
    "preprocess.histogram_normalization.disk_size",
    "preprocess.use_center_crop",
    "preprocess.use_histogram_normalization",
    "preprocess.use_resize",
];

/// A key that was set and has no effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Retired {
    /// The dotted key.
    pub key: &'static str,
    /// Where it was set.
    pub origin: Origin,
}

impl std::fmt::Display for Retired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` ({}) has no effect and never had one; it is accepted so that files written for InnerEye load",
            self.key, self.origin
        )
    }
}

/// Takes the keys without effect out of a layer.
pub(super) fn take(node: &mut Node, origin: &Origin) -> Vec<Retired> {
    let found = KEYS.iter().filter_map(|key| {
        let path: Vec<&str> = key.split('.').collect();
        let entry = remove(node, &path)?;
        Some(Retired { key, origin: origin.at(entry.mark) })
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
