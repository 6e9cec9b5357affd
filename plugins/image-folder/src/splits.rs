//! Which split a sample belongs to: by a folder's name, a column's value, or lists of files.

use crate::entry::Entry;
use crate::values::{OneOrMany, PerSplit, Value};
use selfsame_plugin_api::{PluginError, Result, Split};
use selfsame_tables::labels::plain;
use selfsame_tables::policy::Policy;
use selfsame_tables::splits::by_name;
use selfsame_tables::{names, text};
use std::collections::HashMap;
use std::path::Path;

/// The split that a column's value stands for; `written` are the user's own words for it.
pub fn by_value(cell: &str, written: Option<&PerSplit<OneOrMany<Value>>>) -> Option<Split> {
    let cell = plain(cell);
    match written {
        None => by_name(&cell),
        Some(values) => {
            let holds = |value: &OneOrMany<Value>| value.as_slice().iter().any(|value| value.0 == *cell);
            values.given().find(|(_, value)| holds(value)).map(|(split, _)| split)
        }
    }
}

/// Puts each entry into the split whose list names it, by its path, as the CSV file writes it, or by its file name.
/// Without a list for training, that is what no list names; otherwise such entries are left out.
///
/// # Errors
/// Lists that cannot be read, names that stand in two lists, and listed names that no image has.
pub fn apply_lists(entries: &mut Vec<Entry>, lists: &PerSplit<String>, root: &Path, missing: Policy) -> Result<()> {
    let mut listed: HashMap<String, (Split, bool)> = HashMap::new();
    for (split, file) in lists.given() {
        let file = root.join(file);
        for line in read_list(&file)? {
            if let Some((other, _)) = listed.insert(line.clone(), (split, false)).filter(|(other, _)| *other != split) {
                let message = format!(
                    "{}: `{}` stands in the lists of {} and {}; list it once",
                    file.display(),
                    names::shortened(&line),
                    other.name(),
                    split.name()
                );
                return Err(PluginError::data(message));
            }
        }
    }
    let has_training = lists.given().any(|(split, _)| split == Split::Train);
    let before = entries.len();
    entries.retain_mut(|entry| {
        let name = entry.id.rsplit('/').next().unwrap_or(&entry.id).to_string();
        for key in [entry.id.as_str(), entry.listed.as_deref().unwrap_or_default(), name.as_str()] {
            if let Some((split, is_met)) = listed.get_mut(key) {
                entry.split = *split;
                *is_met = true;
                return true;
            }
        }
        entry.split = Split::Train;
        !has_training
    });
    if entries.len() < before {
        tracing::warn!("{} images are in no list of `split_lists` and are left out", before - entries.len());
    }
    let mut unmet: Vec<&str> =
        listed.iter().filter(|(_, (_, is_met))| !is_met).map(|(name, _)| name.as_str()).collect();
    unmet.sort_unstable();
    match (unmet.is_empty(), missing) {
        (true, _) => Ok(()),
        (false, Policy::Skip) => {
            tracing::warn!("{} images of `split_lists` are not there and are left out", unmet.len());
            Ok(())
        }
        (false, Policy::Stop) => Err(PluginError::data(format!(
            "{}: {} of the images that `split_lists` names are not there: {}. Add them, or set dataset.options.missing \
             to skip",
            root.display(),
            unmet.len(),
            names::some_of(&unmet)
        ))),
    }
}

/// The lines of a list, without blank ones.
fn read_list(path: &Path) -> Result<Vec<String>> {
    let text = text::read(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect())
}
