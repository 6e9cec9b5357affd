//! Several runs on one page.

use super::{RunSummary, kinds, progress, sort};
use crate::config::{self, Sources, flat};
use crate::error::Error;
use crate::output::html;
use crate::regular_file;
use crate::run::files::CONFIG_FILE;
use crate::run::metrics::{self, Record};
use crate::storage::{Disk, Naming, write_atomically};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The key that differs between any two runs and says nothing.
const OUTPUT_DIR: &str = "train.output_dir";

/// What stands side by side.
pub(in crate::output) struct Comparison {
    /// The best first.
    pub runs: Vec<RunSummary>,
    /// What they are sorted by.
    pub sorted_by: Option<super::Kind>,
    /// Every kind of score that any has.
    pub kinds: Vec<super::Kind>,
    /// What is not the same for all: its name, and its value in each run.
    pub differences: Vec<(String, Vec<String>)>,
    /// The metrics of each run.
    pub logs: Vec<Vec<Record>>,
}

/// Writes the page, which needs no other file and no network, and returns the runs, the best first.
///
/// # Errors
/// A folder that holds no run, files that cannot be read or written.
pub fn write(folders: &[PathBuf], out: &Path) -> Result<Vec<RunSummary>, Error> {
    let names = names(folders);
    let read = |(folder, name): (&PathBuf, String)| RunSummary::read(folder, name);
    let mut runs = folders.iter().zip(names).map(read).collect::<Result<Vec<_>, _>>()?;
    let sorted_by = sort(&mut runs);
    let values = runs.iter().map(values).collect::<Result<Vec<_>, _>>()?;
    let logs = runs.iter().map(|run| metrics::read(&run.folder)).collect::<Result<Vec<_>, _>>()?;
    let (kinds, differences) = (kinds(&runs), differences(&values));
    let comparison = Comparison { runs, sorted_by, kinds, differences, logs };
    write_atomically(&Disk, out, html::comparison(&comparison).as_bytes())?;
    Ok(comparison.runs)
}

/// The last part of each path where all of them differ in it, else the paths.
fn names(folders: &[PathBuf]) -> Vec<String> {
    let own = |folder: &PathBuf| {
        let named = folder.file_name().map(ToOwned::to_owned);
        // `.` and `..` have no name of their own.
        named.or_else(|| Some(folder.canonicalize().ok()?.file_name()?.to_owned()))
    };
    let names: Vec<_> =
        folders.iter().map(|folder| own(folder).map(|name| name.to_string_lossy().into_owned())).collect();
    let distinct: BTreeSet<_> = names.iter().flatten().collect();
    if distinct.len() == folders.len() {
        return names.into_iter().flatten().collect();
    }
    folders.iter().map(|folder| folder.display().to_string()).collect()
}

/// All that a run was made of, by name: its configuration, then what its record knows beside.
fn values(run: &RunSummary) -> Result<BTreeMap<String, String>, Error> {
    let path = run.folder.join(CONFIG_FILE);
    // The file is read for its error: a configuration without it would be the defaults.
    regular_file::read_text(&path).naming("read", &path)?;
    let config = config::load(&Sources { files: vec![path], ..Sources::default() })?.config;
    let config = serde_json::to_value(config).map_err(|error| Error::data(error.to_string()))?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut values: BTreeMap<_, _> = flat(&config).into_iter().map(|(key, value)| (key, text(value))).collect();
    values.remove(OUTPUT_DIR);
    let record = &run.record;
    let sizes: Vec<_> = record.split_sizes.iter().map(|(split, size)| format!("{size} {split}")).collect();
    let beside = [
        ("(device)", record.device.clone()),
        ("(images)", sizes.join(", ")),
        ("(progress)", progress(record)),
        ("(selfsame)", record.selfsame_version.clone()),
    ];
    values.extend(beside.map(|(name, value)| (name.to_owned(), value)));
    values.extend(record.plugins.iter().map(|plugin| {
        let digest = plugin.sha256.get(..12).unwrap_or(&plugin.sha256);
        (format!("(plugin {})", plugin.name), format!("{} {digest}…", plugin.version).trim_start().to_owned())
    }));
    Ok(values)
}

fn differences(runs: &[BTreeMap<String, String>]) -> Vec<(String, Vec<String>)> {
    let names: BTreeSet<&String> = runs.iter().flat_map(BTreeMap::keys).collect();
    let row = |name: &String| runs.iter().map(|run| run.get(name).cloned().unwrap_or("–".into())).collect::<Vec<_>>();
    let rows = names.into_iter().map(|name| (name.clone(), row(name)));
    rows.filter(|(_, row)| row.iter().any(|value| *value != row[0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_called_by_what_tells_them_apart() {
        for (folders, expected) in
            [(["runs/a", "runs/b/"], ["a", "b"]), (["one/run", "two/run"], ["one/run", "two/run"])]
        {
            assert_eq!(names(&folders.map(PathBuf::from)), expected);
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        let of = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let runs: [BTreeMap<String, String>; 2] =
            [of(&[("a", "1"), ("b", "2")]), of(&[("a", "1"), ("b", "3"), ("c", "4")])];
        let told: Vec<String> =
            differences(&runs).iter().map(|(name, row)| format!("{name}: {}", row.join(", "))).collect();
        assert_eq!(told, ["b: 2, 3", "c: –, 4"]);
        assert!(differences(&runs[..1]).is_empty());
    }
}
