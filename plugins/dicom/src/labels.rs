//! Labels and splits of a folder's files from a CSV file.

use crate::folder::Found;
use crate::options::Folder;
use crate::rsna::unmatched;
use crate::table::{self, Column, Table, shown};
use selfsame_plugin_api::{PluginError, Result, Split};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a CSV file says about one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    pub class: Option<usize>,
    pub split: Option<Split>,
}

/// Class names, and marks for each file; none of a file that no row names (the options allow it).
///
/// # Errors
/// A table that cannot be read, rows that contradict each other, and what the options do not allow.
pub fn read(csv: &Path, options: &Folder, found: &[Found]) -> Result<(Vec<String>, Vec<Option<Marks>>)> {
    let optional = |name: &'_ Option<String>| name.clone();
    let (label, split) = (optional(&options.label_column), optional(&options.split_column));
    let named = |name: &'_ Option<String>| name.is_some();
    let columns = [
        options.id_column.as_deref().map_or(Column::First, Column::Named),
        label.as_deref().map_or(Column::Absent, Column::Named),
        split.as_deref().map_or(Column::Absent, Column::Named),
    ];
    let table = table::read(csv, &columns)?;
    let classes = if named(&label) { classes(&table)? } else { Vec::new() };
    let names = Names::new(found);
    let mut marks: Vec<Option<Marks>> = vec![None; found.len()];
    let mut missing = Vec::new();
    for (line, values) in &table.rows {
        let [id, class, split_name] = &values[..] else { continue };
        let files = names.find(id).map_err(|why| table.wrong(*line, &why))?;
        if files.is_empty() {
            missing.push(id.clone());
        }
        let own = Marks {
            class: classes.iter().position(|name| name == class),
            split: named(&split).then(|| parse_split(&table, *line, split_name)).transpose()?,
        };
        for &file in files {
            if marks[file].is_some_and(|earlier| earlier != own) {
                let name = found[file].file.display();
                return Err(table.wrong(*line, &format!("says something else about {name} than an earlier row")));
            }
            marks[file] = Some(own);
        }
    }
    let unlabelled: Vec<_> =
        found.iter().zip(&marks).filter(|(_, marks)| marks.is_none()).map(|(found, _)| found.file.display()).collect();
    unmatched(csv, &missing, &unlabelled, options.unmatched)?;
    Ok((classes, marks))
}

/// The distinct labels: by number when all are numbers, else by name.
fn classes(table: &Table) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for (line, values) in &table.rows {
        match values.get(1).filter(|label| !label.is_empty()) {
            Some(label) => names.insert(label.clone()),
            None => return Err(table.wrong(*line, "the label is empty")),
        };
    }
    let mut names: Vec<_> = names.into_iter().collect();
    if names.iter().all(|name| name.parse::<f64>().is_ok_and(f64::is_finite)) {
        let number = |name: &String| name.parse::<f64>().unwrap_or_default();
        names.sort_by(|one, other| number(one).total_cmp(&number(other)));
    }
    // A class for each row is a column that was mistaken for labels, and its head would not fit into memory.
    const MOST: usize = 10_000;
    if names.len() > MOST || names.len() == 1 {
        let path = table.path.display();
        return Err(PluginError::data(format!("{path}: {} different labels, expected 2 to {MOST}", names.len())));
    }
    Ok(names)
}

fn parse_split(table: &Table, line: u64, name: &str) -> Result<Split> {
    match name.to_ascii_lowercase().as_str() {
        "train" => Ok(Split::Train),
        "val" | "valid" | "validation" => Ok(Split::Val),
        "test" => Ok(Split::Test),
        _ => Err(table.wrong(line, &format!("`{}` is not a split: train, val or test", shown(name)))),
    }
}

/// The names by which a row may call a file, the most exact first.
struct Names {
    kinds: [BTreeMap<String, Vec<usize>>; 5],
}

const PATIENT: usize = 4;

impl Names {
    fn new(found: &[Found]) -> Self {
        let mut kinds: [BTreeMap<String, Vec<usize>>; 5] = Default::default();
        for (index, found) in found.iter().enumerate() {
            let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
            let names = [
                Some(found.file.to_string_lossy().replace('\\', "/")),
                text(found.file.file_name()),
                text(found.file.file_stem()),
                found.instance.clone(),
                found.patient.clone(),
            ];
            for (kind, name) in kinds.iter_mut().zip(names) {
                if let Some(name) = name {
                    kind.entry(name).or_default().push(index);
                }
            }
        }
        Self { kinds }
    }

    /// The files that `id` names: one, or all of a patient's.
    fn find(&self, id: &str) -> std::result::Result<&[usize], String> {
        let path = id.trim_start_matches("./");
        for (kind, names) in self.kinds.iter().enumerate() {
            match names.get(path).map(Vec::as_slice) {
                Some(files) if files.len() == 1 || kind == PATIENT => return Ok(files),
                Some(files) => {
                    return Err(format!("`{}` is the name of {} files; write relative paths", shown(id), files.len()));
                }
                None => {}
            }
        }
        Ok(&[])
    }
}

/// Checks that no patient stands in two splits.
///
/// # Errors
/// Names the first patient that does.
pub fn check_groups<'s>(samples: impl Iterator<Item = (Split, &'s str)>) -> Result<()> {
    let mut splits = BTreeMap::new();
    for (split, group) in samples {
        let first = *splits.entry(group).or_insert(split);
        if first != split {
            return Err(PluginError::data(format!(
                "patient `{}` is in the splits {} and {}; one patient's images belong into one split",
                shown(group),
                first.name(),
                split.name()
            )));
        }
    }
    Ok(())
}
