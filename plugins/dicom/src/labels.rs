//! Labels, splits and groups of a folder's files from a CSV file.

use crate::found::Found;
use crate::ids::Ids;
use crate::options::{Folder, IdKind};
use crate::table::{self, Column, Table, shown};
use crate::unmatched::{Unlabelled, unmatched};
use selfsame_plugin_api::{PluginError, Result, Split};
use selfsame_tables::labels::{have_both_truths, in_order, is_missing, plain, truth_as_number};
use selfsame_tables::splits::by_name;
use std::collections::BTreeMap;
use std::path::Path;

/// What a CSV file says about one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    pub class: Option<usize>,
    pub split: Option<Split>,
    pub group: Option<String>,
}

/// The place of the labels among the columns that are read.
const LABEL: usize = 1;

fn column<'n>(name: &'n Option<String>, option: &'n str) -> Column<'n> {
    name.as_deref().map_or(Column::Absent, |name| Column::Option { name, option })
}

/// Class names, and marks for each file; none of a file that no row names (the options allow it).
///
/// # Errors
/// A table that cannot be read, rows that contradict each other, and what the options do not allow.
pub fn read(csv: &Path, options: &Folder, found: &[Found]) -> Result<(Vec<String>, Vec<Option<Marks>>)> {
    let columns = [
        options.id_column.as_ref().map_or(Column::First, |name| Column::Option { name, option: "id_column" }),
        column(&options.label_column, "label_column"),
        column(&options.split_column, "split_column"),
        column(&options.group_column, "group_column"),
    ];
    let written = options.csv.as_deref().map(|written| ("csv", written));
    let mut table = table::read(csv, written, &columns)?;
    let has_labels = options.label_column.is_some();
    let classes = if has_labels { classes(&mut table)? } else { Vec::new() };
    let ids = Ids::new(found);
    let kind = options.id_kind.map_or_else(|| ids.choose(&table), Ok)?;
    let mut marks: Vec<Option<Marks>> = vec![None; found.len()];
    let (mut missing, mut unlabelled) = (Vec::new(), Unlabelled::default());
    for (line, values) in &table.rows {
        let [id, class, split, group] = &values[..] else { continue };
        let files = ids.files(kind, id);
        if files.is_empty() {
            missing.push(id.clone());
        }
        if files.len() > 1 && kind != IdKind::Patient {
            let (id, kind, names) = (shown(id), kind.words(), ids.names(files));
            return Err(table.wrong(*line, &format!("`{id}` is the {kind} of {names}; write relative paths")));
        }
        if has_labels && is_missing(class) {
            unlabelled.add(*line, class, files.iter().copied());
            continue;
        }
        if options.group_column.is_some() && is_missing(group) {
            return Err(table.wrong(*line, &format!("the group is `{}`, expected a patient", shown(group))));
        }
        let own = Marks {
            class: classes.iter().position(|name| name == class),
            split: options.split_column.is_some().then(|| parse_split(&table, *line, split)).transpose()?,
            group: options.group_column.is_some().then(|| plain(group).into_owned()),
        };
        for &file in files {
            if marks[file].as_ref().is_some_and(|earlier| *earlier != own) {
                let name = found[file].name();
                return Err(table.wrong(*line, &format!("says something else about {name} than an earlier row")));
            }
            marks[file] = Some(own.clone());
        }
    }
    let rowless: Vec<_> = (0..found.len())
        .filter(|file| marks[*file].is_none() && !unlabelled.subjects.contains(file))
        .map(|file| found[file].name())
        .collect();
    let what = format!("{} (id_kind: {})", csv.display(), kind.name());
    unmatched(&what, &missing, ids.of_kind(kind), &rowless, &unlabelled.rows, options.unmatched)?;
    Ok((classes, marks))
}

/// The distinct labels: by number when all are numbers, else by name. Writes each into the form in which it is compared.
fn classes(table: &mut Table) -> Result<Vec<String>> {
    let mut labels: Vec<&mut String> = table.rows.iter_mut().filter_map(|(_, values)| values.get_mut(LABEL)).collect();
    labels.iter_mut().for_each(|label| **label = plain(label).into_owned());
    if have_both_truths(labels.iter().map(|label| label.as_str())) {
        labels.iter_mut().for_each(|label| **label = truth_as_number(label).to_owned());
    }
    let names = in_order(labels.iter().map(|label| label.as_str()).filter(|label| !is_missing(label)));
    // A class for each row is a column that was mistaken for labels, and its head would not fit into memory.
    const MOST: usize = 10_000;
    let column = table.column(LABEL);
    let wrong = match &names[..] {
        [] => format!(
            "no row has a label in `{column}`: its cells are empty, or say that there is none (nan, None, NA, …)"
        ),
        [only] => {
            let only = shown(only);
            format!(
                "`{column}` has one class only, `{only}`; expected at least two, or no dataset.options.label_column"
            )
        }
        _ if names.len() > MOST => {
            let count = names.len();
            format!(
                "`{column}` has {count} different labels, expected at most {MOST}; is it the column of the classes?"
            )
        }
        _ => return Ok(names),
    };
    Err(PluginError::data(format!("{}: {wrong}", table.path().display())))
}

fn parse_split(table: &Table, line: u64, name: &str) -> Result<Split> {
    by_name(name).ok_or_else(|| table.wrong(line, &format!("`{}` is not a split: train, val or test", shown(name))))
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
