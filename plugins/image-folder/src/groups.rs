//! Patients: found in paths, and kept out of more than one split.

use crate::entry::Entry;
use regex::Regex;
use selfsame_plugin_api::{PluginError, Result, Split};
use selfsame_tables::names;
use selfsame_tables::policy::Policy;
use std::collections::{BTreeMap, HashSet};

/// Gives each entry the group that `pattern` finds in its path: its first capture group, or all that matches.
///
/// # Errors
/// Paths in which the pattern finds nothing.
pub fn by_pattern(entries: &mut [Entry], pattern: &Regex) -> Result<()> {
    let mut strange = Vec::new();
    for entry in entries {
        let found = pattern.captures(&entry.id).and_then(|captures| captures.get(1).or_else(|| captures.get(0)));
        match found.map(|found| found.as_str().to_string()).filter(|group| !group.is_empty()) {
            Some(group) => entry.group = Some(group),
            None => strange.push(entry.id.clone()),
        }
    }
    if strange.is_empty() {
        return Ok(());
    }
    Err(PluginError::data(format!(
        "option `group_pattern` = `{pattern}` finds no group in {} paths: {}",
        strange.len(),
        names::some_of(&strange)
    )))
}

/// Sees to it that no group stands in two splits.
///
/// # Errors
/// Groups in several splits, unless their samples are skipped in all but the last.
pub fn separate(entries: &mut Vec<Entry>, overlap: Policy) -> Result<()> {
    let mut last_split: BTreeMap<&str, Split> = BTreeMap::new();
    let mut shared: HashSet<&str> = HashSet::new();
    let rank = |split: Split| match split {
        Split::Train => 0,
        Split::Val => 1,
        Split::Test => 2,
    };
    for entry in entries.iter() {
        let Some(group) = entry.group.as_deref() else { continue };
        let split = last_split.entry(group).or_insert(entry.split);
        if *split != entry.split {
            shared.insert(group);
            if rank(entry.split) > rank(*split) {
                *split = entry.split;
            }
        }
    }
    if shared.is_empty() {
        return Ok(());
    }
    if overlap == Policy::Stop {
        let mut shared: Vec<&str> = shared.into_iter().collect();
        shared.sort_unstable();
        return Err(PluginError::data(format!(
            "{} groups (patients) stand in more than one split: {}. Correct the splits, or set \
             dataset.options.group_overlap to skip: their samples then stay in test before validation before training",
            shared.len(),
            names::some_of(&shared)
        )));
    }
    let leaves = |entry: &Entry| entry.group.as_deref().is_some_and(|group| last_split[group] != entry.split);
    let dropped: Vec<bool> = entries.iter().map(leaves).collect();
    let (groups, count) = (shared.len(), dropped.iter().filter(|is_dropped| **is_dropped).count());
    tracing::warn!("{count} images of {groups} groups (patients) that stand in several splits are left out");
    let mut dropped = dropped.into_iter();
    entries.retain(|_| !dropped.next().unwrap_or(false));
    Ok(())
}
