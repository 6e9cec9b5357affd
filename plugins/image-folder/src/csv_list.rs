//! Samples that a CSV file lists.

use crate::entry::{Entry, Given};
use crate::file_index::{self, Finder};
use crate::options::{CsvFiles, Meaning, Options};
use crate::splits;
use crate::values::{OneOrMany, Value};
use selfsame_plugin_api::{PluginError, Result, Services, Split};
use selfsame_tables::files::printed;
use selfsame_tables::labels::{is_missing, plain};
use selfsame_tables::policy::Policy;
use selfsame_tables::{Column, Row, Table, names, text};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Reads the list, or the list of each split.
///
/// # Errors
/// Unknown columns, cells that do not fit, and images that are missing or listed twice.
pub fn read(root: &Path, files: &CsvFiles, options: &Options, services: &dyn Services) -> Result<(Vec<Entry>, Given)> {
    let finder = Finder::new(root, &options.folders);
    let mut collected = Collected::default();
    match files {
        CsvFiles::One(file) => collected.add(&List::open(root, file, None, options)?, &finder, services)?,
        CsvFiles::Splits(files) => {
            for (split, file) in files.given() {
                collected.add(&List::open(root, file, Some(split), options)?, &finder, services)?;
            }
        }
    }
    collected.check(root, options, &finder, services)?;
    let given = match (&options.label_column, options.label_columns.is_empty()) {
        (Some(_), _) if options.label_separator.is_some() => Given::Labels(None),
        (Some(_), _) => Given::Class,
        (None, false) => Given::Labels(Some(options.label_columns.clone())),
        (None, true) => Given::Nothing,
    };
    Ok((collected.entries, given))
}

/// One CSV file with the columns that the options name.
struct List<'a> {
    root: &'a Path,
    options: &'a Options,
    table: Table,
    rows: Vec<Row>,
    /// The split of all rows.
    split: Option<Split>,
    path: Column,
    label: Option<Column>,
    labels: Vec<Column>,
    split_column: Option<Column>,
    group: Option<Column>,
    filters: Vec<(Column, &'a OneOrMany<Value>)>,
}

impl<'a> List<'a> {
    fn open(root: &'a Path, file: &str, split: Option<Split>, options: &'a Options) -> Result<Self> {
        let key = split.map_or("csv".to_string(), |split| format!("csv.{}", split.name()));
        let table = Table::open(&options.list(root, file)).map_err(|error| text::set_by(error, &key, file))?;
        let optional =
            |name: &Option<String>, option: &str| name.as_ref().map(|name| table.column(name, option)).transpose();
        let path = table.column(options.path_column.as_deref().unwrap_or("path"), "path_column")?;
        let label = optional(&options.label_column, "label_column")?;
        let split_column = optional(&options.split_column, "split_column")?;
        let group = optional(&options.group_column, "group_column")?;
        let labels = options.label_columns.iter().map(|name| table.column(name, "label_columns"));
        let labels = labels.collect::<Result<Vec<_>>>()?;
        let filters = options.filters.iter().map(|(name, values)| Ok((table.column(name, "where")?, values)));
        let filters = filters.collect::<Result<Vec<_>>>()?;
        let used = [label, split_column, group].into_iter().flatten().chain(labels.iter().copied());
        let used = used.chain(filters.iter().map(|(column, _)| *column)).chain([path]);
        let rows = table.rows(&used.collect::<Vec<_>>())?;
        Ok(Self { root, options, split, path, label, labels, split_column, group, filters, table, rows })
    }

    fn is_wanted(&self, row: &Row) -> bool {
        self.filters.iter().all(|(column, values)| {
            let cell = plain(row.cell(*column));
            values.as_slice().iter().any(|value| value.0 == *cell)
        })
    }

    /// The paths that are looked for, the first one first: with `/`, and without each prefix that they begin with. A cell with
    /// `\xE9` may mean a byte that is no UTF-8, or a folder `xE9` of a system with backslashes.
    fn listed_paths(&self, row: &Row) -> Result<Vec<String>> {
        let cell = row.cell(self.path);
        if cell.is_empty() {
            return Err(self.table.wrong(row.line, &format!("`{}` is empty", self.table.name(self.path))));
        }
        let prefixes = self.options.strip_prefix.as_ref().map_or(&[][..], OneOrMany::as_slice);
        let as_printed = printed(cell).is_some().then(|| cell.to_owned());
        let mut paths = Vec::new();
        for cell in as_printed.into_iter().chain([cell.replace('\\', "/")]) {
            let stripped = prefixes.iter().filter_map(|prefix| cell.strip_prefix(prefix.as_str()));
            let stripped: Vec<_> = stripped.map(|rest| rest.trim_start_matches('/').to_string()).collect();
            paths.extend(if stripped.is_empty() { vec![cell] } else { stripped });
        }
        Ok(paths)
    }

    /// The labels that hold; none when the row is to be left out.
    fn labels_of(&self, row: &Row) -> Result<Option<Vec<String>>> {
        if let Some(column) = self.label {
            return self.labels_in_cell(row, column);
        }
        let mut labels = Vec::new();
        for column in &self.labels {
            match self.meaning(row, *column)? {
                Meaning::One => labels.push(self.table.name(*column).to_string()),
                Meaning::Zero => {}
                Meaning::Skip => return Ok(None),
            }
        }
        Ok(Some(labels))
    }

    fn labels_in_cell(&self, row: &Row, column: Column) -> Result<Option<Vec<String>>> {
        let cell = row.cell(column);
        let is_negative = |label: &str| self.options.negative_label.as_ref().is_some_and(|none| none.0 == label);
        let parts: Vec<&str> = match &self.options.label_separator {
            Some(separator) => cell.split(separator.as_str()).collect(),
            None => vec![cell],
        };
        let mut labels = Vec::with_capacity(parts.len());
        for part in parts {
            let label = plain(part).into_owned();
            if is_negative(&label) {
                continue;
            }
            if is_missing(&label) && !self.options.names_class(&label) {
                return match self.options.missing {
                    Policy::Skip => Ok(None),
                    Policy::Stop => Err(self.lacks_a_label(row.line, column, &label)),
                };
            }
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        Ok(Some(labels))
    }

    fn lacks_a_label(&self, line: u64, column: Column, label: &str) -> PluginError {
        let name = self.table.name(column);
        let (what, advice) = match label {
            "" => (format!("`{name}` lacks a label"), ""),
            _ => (
                format!("`{name}` lacks a label: `{label}` stands for none"),
                "; where it is a class, name all of them in dataset.options.classes",
            ),
        };
        let message = format!(
            "{what}; complete the row, leave such rows out with dataset.options.where, or set dataset.options.missing to \
             skip{advice}"
        );
        self.table.wrong(line, &message)
    }

    fn meaning(&self, row: &Row, column: Column) -> Result<Meaning> {
        let cell = plain(row.cell(column));
        let meaning = |value: &str| self.options.label_values.iter().find(|(text, _)| plain(text) == value);
        // What stands for no value means what an empty cell does.
        let written = meaning(&cell).or_else(|| is_missing(&cell).then(|| meaning("")).flatten());
        match (written, cell.as_ref()) {
            (Some((_, meaning)), _) => Ok(*meaning),
            (None, "0" | "false") => Ok(Meaning::Zero),
            (None, "1" | "true") => Ok(Meaning::One),
            (None, other) => Err(self.table.wrong(
                row.line,
                &format!(
                    "`{}` is `{}`, expected 0 or 1; say what it means with dataset.options.label_values",
                    self.table.name(column),
                    names::shortened(other)
                ),
            )),
        }
    }

    fn split_of(&self, row: &Row) -> Result<Split> {
        let Some(column) = self.split_column else { return Ok(self.split.unwrap_or(Split::Train)) };
        let cell = row.cell(column);
        splits::by_value(cell, self.options.split_values.as_ref()).ok_or_else(|| {
            let (name, cell) = (self.table.name(column), names::shortened(cell));
            let message = format!("`{name}` is `{cell}`, which names no split; see dataset.options.split_values");
            self.table.wrong(row.line, &message)
        })
    }

    fn group_of(&self, row: &Row) -> Result<Option<String>> {
        let Some(column) = self.group else { return Ok(None) };
        let cell = plain(row.cell(column));
        if is_missing(&cell) {
            let message = format!("`{}` is `{cell}`, expected the patient of the image", self.table.name(column));
            return Err(self.table.wrong(row.line, &message));
        }
        Ok(Some(cell.into_owned()))
    }
}

/// What the lists say, and what is wrong with them.
#[derive(Default)]
struct Collected {
    entries: Vec<Entry>,
    /// The line of each id.
    seen: HashMap<String, u64>,
    missing: Vec<String>,
    /// Labels of images that are missing.
    lost: BTreeSet<String>,
    repeated: Vec<String>,
    /// Rows that are left out because of their label columns.
    undecided: usize,
    /// Rows that are left out because their label says that there is none.
    unlabelled: usize,
}

impl Collected {
    fn add(&mut self, list: &List, finder: &Finder, services: &dyn Services) -> Result<()> {
        let total = list.rows.len() as u64;
        for (count, row) in list.rows.iter().enumerate() {
            if count % 1000 == 0 {
                services.items("listed images", count as u64, Some(total))?;
            }
            if !list.is_wanted(row) {
                continue;
            }
            let listed = list.listed_paths(row)?;
            let mut found = None;
            for listed in &listed {
                let path = finder.find(listed, services).map_err(|error| list.table.wrong(row.line, &error.message))?;
                found = found.or(path.map(|path| (listed.clone(), path)));
            }
            let Some((listed, path)) = found else {
                self.lost.extend(list.labels_of(row).ok().flatten().unwrap_or_default());
                self.missing.extend(listed.into_iter().next());
                continue;
            };
            let id = file_index::id_below(list.root, &path);
            if let Some(first) = self.seen.insert(id.clone(), row.line) {
                self.repeated.push(format!("{id} (lines {first} and {})", row.line));
                continue;
            }
            let Some(labels) = list.labels_of(row)? else {
                *if list.label.is_some() { &mut self.unlabelled } else { &mut self.undecided } += 1;
                continue;
            };
            let (split, group) = (list.split_of(row)?, list.group_of(row)?);
            self.entries.push(Entry { id, path, listed: Some(listed), split, labels, group });
        }
        Ok(())
    }

    /// Reports what is missing, repeated and left out.
    fn check(&self, root: &Path, options: &Options, finder: &Finder, services: &dyn Services) -> Result<()> {
        let files = options.source(root);
        if !self.repeated.is_empty() {
            let list = names::some_of(&self.repeated);
            let message = format!("{} images are listed more than once: {list}; list each once", self.repeated.len());
            return Err(PluginError::data(format!("{files}: {message}")));
        }
        if self.undecided > 0 {
            tracing::info!("{files}: {} images with undecided labels are left out", self.undecided);
        }
        if self.unlabelled > 0 {
            tracing::warn!("{files}: {} listed images have no label and are left out", self.unlabelled);
        }
        let Some(first) = self.missing.first() else { return Ok(()) };
        if options.missing == Policy::Skip && !self.entries.is_empty() {
            tracing::warn!("{files}: {} listed images are not there and are left out", self.missing.len());
            let left: BTreeSet<&String> = self.entries.iter().flat_map(|entry| &entry.labels).collect();
            let lost: Vec<&String> = self.lost.iter().filter(|label| !left.contains(label)).collect();
            if !lost.is_empty() {
                tracing::warn!("{files}: no image is left of the classes {}", names::some_of(&lost));
            }
            return Ok(());
        }
        let advice = match finder.strange_prefix(first) {
            Some(prefix) => format!("Set dataset.options.strip_prefix to `{prefix}`"),
            None if self.entries.is_empty() => "Correct dataset.dataset_dir, or how paths are listed".into(),
            None => "Add them, or set dataset.options.missing to skip".into(),
        };
        let hint = match finder.strange_prefix(first) {
            Some(_) => String::new(),
            None => finder.hint(&self.missing, services)?,
        };
        Err(PluginError::data(format!(
            "{files}: {} of {} listed images are not there: {}{hint}. {advice}",
            self.missing.len(),
            self.missing.len() + self.entries.len(),
            names::some_of(&self.missing)
        )))
    }
}
