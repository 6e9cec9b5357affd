//! Which split a sample belongs to: by a folder's name, a column's value, or lists of files.

use crate::entry::Entry;
use crate::values::{OneOrMany, PerSplit, Value};
use selfsame_plugin_api::{PluginError, Result, Split};
use selfsame_tables::labels::plain;
use selfsame_tables::policy::Policy;
use selfsame_tables::splits::by_name;
use selfsame_tables::{hints, names, text};
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

/// A name that a list has.
struct Listed {
    split: Split,
    /// Whether an image has it.
    is_met: bool,
}

/// Puts each entry into the split whose list names it, by its path, as the CSV file writes it, or by its file name.
/// Without a list for training, that is what no list names; otherwise such entries are left out.
///
/// # Errors
/// Lists that cannot be read, names that stand in two lists, and listed names that no image has.
pub fn apply_lists(entries: &mut Vec<Entry>, lists: &PerSplit<String>, root: &Path, missing: Policy) -> Result<()> {
    let mut listed: HashMap<String, Listed> = HashMap::new();
    for (split, written) in lists.given() {
        let file = root.join(written);
        for line in read_list(&file).map_err(|error| text::set_by(error, &option(split), written))? {
            let earlier = listed.insert(line.clone(), Listed { split, is_met: false });
            if let Some(other) = earlier.filter(|earlier| earlier.split != split) {
                let message = format!(
                    "{}: `{}` stands in the lists of {} and {}; list it once",
                    file.display(),
                    names::shortened(&line),
                    other.split.name(),
                    split.name()
                );
                return Err(PluginError::data(message));
            }
        }
    }
    // Of all images, those that are left out among them.
    let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    let has_training = lists.given().any(|(split, _)| split == Split::Train);
    entries.retain_mut(|entry| {
        let id = with_slashes(&entry.id);
        let name = id.rsplit('/').next().unwrap_or(&id);
        for key in [id.as_str(), entry.listed.as_deref().unwrap_or_default(), name] {
            if let Some(Listed { split, is_met }) = listed.get_mut(key) {
                entry.split = *split;
                *is_met = true;
                return true;
            }
        }
        entry.split = Split::Train;
        !has_training
    });
    for (split, written) in lists.given() {
        let is_unmet = |(_, name): &(&String, &Listed)| name.split == split && !name.is_met;
        let mut unmet: Vec<&String> = listed.iter().filter(is_unmet).map(|(name, _)| name).collect();
        if unmet.is_empty() {
            continue;
        }
        unmet.sort_unstable();
        let list = format!("{} (dataset.options.{})", root.join(written).display(), option(split));
        let count = unmet.len();
        if missing == Policy::Skip {
            tracing::warn!("{list}: {count} of the listed images are not there and are left out");
            continue;
        }
        let (some, hint) = (names::some_of(&unmet), hints::nearly(&unmet, ids.iter().map(String::as_str)));
        return Err(PluginError::data(format!(
            "{list}: {count} of the listed images are not there: {some}{hint}. Add them, or set dataset.options.missing to \
             skip"
        )));
    }
    if entries.len() < ids.len() {
        let count = ids.len() - entries.len();
        tracing::warn!("{count} images are in no list of dataset.options.split_lists and are left out");
    }
    Ok(())
}

fn option(split: Split) -> String {
    format!("split_lists.{}", split.name())
}

/// The lines of a list, without blank ones.
fn read_list(path: &Path) -> Result<Vec<String>> {
    let text = text::read(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(with_slashes).collect())
}

/// A path as it is compared, whatever system it was written on.
fn with_slashes(path: &str) -> String {
    path.replace('\\', "/").trim_start_matches("./").to_string()
}
