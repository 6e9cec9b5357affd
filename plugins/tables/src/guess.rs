//! What the columns of a list of images most likely mean, told by their names and cells.

use crate::labels::{is_missing, plain};
use crate::splits::by_name;
use crate::{Column, Row, Table, names};
use selfsame_plugin_api::{Result, Split, Survey};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lists of a folder that are looked at.
const LISTS: usize = 8;
/// A list is one of images where it names a file in at least this share of its rows.
const NAMED: f64 = 0.5;
/// Most classes of a column that is taken for labels because of its name.
const MOST_CLASSES: usize = 100;
/// Most classes of a column that is taken for labels because no other one can be.
const FEW_CLASSES: usize = 20;

const LABELS: [&str; 12] = [
    "label",
    "labels",
    "class",
    "target",
    "diagnosis",
    "finding labels",
    "category",
    "finding",
    "pathology",
    "outcome",
    "disease",
    "dx",
];
/// Words for no label at all, where an image may have several.
const NONE: [&str; 5] = ["no finding", "normal", "negative", "no findings", "healthy"];
const SPLITS: [&str; 6] = ["split", "subset", "partition", "fold", "set", "dataset"];
const GROUPS: [&str; 6] = ["patient", "subject", "person", "case", "participant", "group"];

/// The columns of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The list.
    pub file: PathBuf,
    /// The column that names files.
    pub id: String,
    /// Rows, and those of them whose file is there.
    pub rows: (usize, usize),
    /// Files that some row names.
    pub files: usize,
    /// The column of classes.
    pub label: Option<String>,
    /// What stands between the labels of a cell, where an image has several.
    pub separator: Option<char>,
    /// The label that stands for none of them, where an image has several.
    pub negative: Option<String>,
    /// Columns of 0 and 1, where there are several: a label each.
    pub labels: Vec<String>,
    /// Rows without a label.
    pub unlabelled: usize,
    /// The column of splits.
    pub split: Option<String>,
    /// The column of patients.
    pub group: Option<String>,
}

/// The list, directly in `folder`, that names the most files; none where no list names any, or none can be read. `files` says
/// which files a cell names, by number: none, one, or all of a patient.
pub fn list_of(folder: &Path, files: &dyn Fn(&str) -> Vec<usize>) -> Option<Guess> {
    let mut lists: Vec<PathBuf> = folder.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    lists.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["csv", "tsv"].iter().any(|known| ending.eq_ignore_ascii_case(known)) && path.is_file()
    });
    lists.sort();
    let guesses = lists.iter().take(LISTS).filter_map(|list| of(list, files).ok().flatten());
    // Of equally good ones the first, and one with labels before one without.
    guesses.rev().max_by_key(|guess| (guess.files, guess.label.is_some() || !guess.labels.is_empty()))
}

/// What the columns of a list mean; none where it names no files.
fn of(file: &Path, files: &dyn Fn(&str) -> Vec<usize>) -> Result<Option<Guess>> {
    let table = Table::open(file)?;
    let columns = table.columns();
    // A column whose cells cannot be read is not used.
    let readable: Vec<Column> = columns.into_iter().filter(|column| table.rows(&[*column]).is_ok()).collect();
    let rows = table.rows(&readable)?;
    // A column that names files is better than one that names patients, where both name all.
    let named = |column: Column| {
        let counts: Vec<usize> = rows.iter().map(|row| files(row.cell(column)).len()).collect();
        let (any, one) = (counts.iter().filter(|n| **n > 0).count(), counts.iter().filter(|n| **n == 1).count());
        (column, (any, one))
    };
    let Some((id, (found, _))) = readable.iter().copied().map(named).rev().max_by_key(|best| best.1) else {
        return Ok(None);
    };
    if found == 0 || (found as f64) < NAMED * rows.len() as f64 {
        return Ok(None);
    }
    let all: BTreeSet<usize> = rows.iter().flat_map(|row| files(row.cell(id))).collect();
    let others: Vec<Facts> = readable.iter().filter(|c| **c != id).map(|c| Facts::of(&table, *c, &rows)).collect();
    let split = others.iter().find(|column| column.is_split());
    let group = others.iter().find(|column| column.is_group(rows.len()));
    let is_free = |column: &&Facts| ![split, group].iter().flatten().any(|used| used.name == column.name);
    let free: Vec<&Facts> = others.iter().filter(is_free).collect();
    let flags: Vec<&&Facts> = free.iter().filter(|column| column.is_flag()).collect();
    let label = free.iter().find(|column| column.is_called(&LABELS) && column.may_be_label(MOST_CLASSES, rows.len()));
    let several = label.is_none() && flags.len() > 1;
    let possible: Vec<_> = free.iter().filter(|column| column.may_be_label(FEW_CLASSES, rows.len() / 2 + 1)).collect();
    let label = label.or_else(|| possible.first().copied().filter(|_| possible.len() == 1 && !several));
    Ok(Some(Guess {
        file: file.to_owned(),
        id: table.name(id).to_owned(),
        rows: (rows.len(), found),
        files: all.len(),
        separator: label.and_then(|column| column.separator),
        negative: label.and_then(|column| column.negative()),
        unlabelled: label.map_or(0, |column| column.missing),
        label: label.map(|column| column.name.clone()),
        labels: if several { flags.into_iter().map(|column| column.name.clone()).collect() } else { Vec::new() },
        split: split.map(|column| column.name.clone()),
        group: group.map(|column| column.name.clone()),
    }))
}

/// What the cells of a column are like.
struct Facts {
    name: String,
    values: BTreeSet<String>,
    missing: usize,
    separator: Option<char>,
}

impl Facts {
    fn of(table: &Table, column: Column, rows: &[Row]) -> Self {
        let cells = || rows.iter().map(|row| row.cell(column)).filter(|cell| !is_missing(cell));
        let separator = ['|', ';'].into_iter().find(|&mark| cells().any(|cell| cell.contains(mark)));
        let parts = |cell: &str| match separator {
            Some(mark) => cell.split(mark).map(|part| plain(part).into_owned()).collect(),
            None => vec![plain(cell).into_owned()],
        };
        let values = cells().flat_map(parts).collect();
        Self { name: table.name(column).to_owned(), values, missing: rows.len() - cells().count(), separator }
    }

    /// The word that stands for no label, beside others.
    fn negative(&self) -> Option<String> {
        let is_none = |value: &&String| NONE.iter().any(|word| value.eq_ignore_ascii_case(word));
        self.values.iter().find(is_none).filter(|_| self.separator.is_some()).cloned()
    }

    /// Whether the name is one of these, or one of these with more words around it.
    fn is_called(&self, words: &[&str]) -> bool {
        let name = self.name.to_lowercase().replace(['_', '-'], " ");
        let is_word = |word: &&str| name == **word || name.split(' ').any(|part| part == *word);
        words.iter().any(is_word)
    }

    fn is_split(&self) -> bool {
        let named: Vec<_> = self.values.iter().map(|value| by_name(value)).collect();
        named.contains(&Some(Split::Train)) && named.len() > 1 && named.iter().all(Option::is_some)
            || self.is_called(&SPLITS) && !named.is_empty() && named.iter().all(Option::is_some)
    }

    /// Whether it names patients, some of whom have several images.
    fn is_group(&self, rows: usize) -> bool {
        let name = self.name.to_lowercase();
        let is_called = GROUPS.iter().any(|word| name.split(['_', '-', ' ']).any(|part| part.starts_with(word)))
            && !["age", "sex", "gender", "position", "weight", "size"].iter().any(|word| name.contains(word));
        is_called && self.missing == 0 && self.separator.is_none() && self.values.len() > 1 && self.values.len() <= rows
    }

    fn is_flag(&self) -> bool {
        self.missing == 0 && self.values.iter().map(String::as_str).eq(["0", "1"])
    }

    fn may_be_label(&self, most: usize, rows: usize) -> bool {
        (2..=most).contains(&self.values.len()) && self.values.len() < rows
    }
}

impl Guess {
    /// The list's name, as the options want it.
    pub fn file_name(&self) -> String {
        self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Adds the options that these two readers have in common, with their reasons, beside those for labels.
    #[must_use]
    pub fn options(&self, survey: Survey, id_option: &str) -> Survey {
        let (rows, found) = self.rows;
        let survey = survey
            .option("csv", self.file_name(), format!("the list in the folder: {found} of its {rows} rows name a file"))
            .option(id_option, self.id.clone(), "its column that names the files");
        let survey = match &self.label {
            Some(label) => survey.option("label_column", label.clone(), "its column of classes, by name and content"),
            None => survey,
        };
        let survey = match &self.split {
            Some(split) => survey.option("split_column", split.clone(), "its column of train, val and test"),
            None => survey,
        };
        match &self.group {
            Some(group) => survey.option(
                "group_column",
                group.clone(),
                "its column of patients: images of one patient never stand on both sides of a split",
            ),
            None => survey,
        }
    }

    /// Whether the list says anything of the files that it names.
    pub fn says_something(&self) -> bool {
        self.has_labels() || self.split.is_some() || self.group.is_some()
    }

    fn has_labels(&self) -> bool {
        self.label.is_some() || !self.labels.is_empty()
    }

    /// What was not taken from the list, in words.
    pub fn note(&self) -> Option<String> {
        let list = names::shortened(&self.file_name());
        (!self.has_labels()).then(|| {
            format!(
                "{list} names the files, but none of its columns could be told to be the labels; if one is, write \
                 dataset.options.csv and label_column"
            )
        })
    }
}

/// How many of each there are, in words, without those of which there are none.
pub fn counted(counts: &[(usize, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(text: &str) -> Option<Guess> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list.csv"), text).unwrap();
        std::fs::write(folder.path().join("other.csv"), "site,phone\nhere,1\n").unwrap();
        let known = ["a.png", "b.png", "c.png", "d.png"];
        list_of(folder.path(), &|cell| known.iter().position(|name| *name == cell).into_iter().collect())
    }

    #[test]
    fn columns_are_told_by_their_names_and_cells() {
        let text = "no,file,age,Patient ID,fold,Finding Labels\n1,a.png,41,p1,train,No Finding\n2,b.png,52,p1,train,\
                    Mass|Edema\n3,c.png,63,p2,val,Edema\n4,d.png,41,p3,test,No Finding\n5,x.png,41,p3,test,Mass\n";
        let guess = guessed(text).unwrap();
        assert_eq!((guess.id.as_str(), guess.rows, guess.files), ("file", (5, 4), 4));
        assert_eq!((guess.label.as_deref(), guess.separator), (Some("Finding Labels"), Some('|')));
        assert_eq!(guess.negative.as_deref(), Some("No Finding"));
        assert_eq!((guess.split.as_deref(), guess.group.as_deref()), (Some("fold"), Some("Patient ID")));
    }

    #[test]
    fn the_only_column_that_can_be_labels_is_one_and_several_of_0_and_1_are_a_label_each() {
        let only = guessed("path,state\na.png,ill\nb.png,well\nc.png,ill\nd.png,\n").unwrap();
        assert_eq!((only.label.as_deref(), only.unlabelled), (Some("state"), 1));
        let two = guessed("path,shape,colour\na.png,x,r\nb.png,y,g\nc.png,x,g\nd.png,y,r\n").unwrap();
        assert_eq!(two.label, None);
        assert!(two.note().unwrap().contains("label_column"));
        let flags = guessed("path,Edema,Mass\na.png,0,1\nb.png,1,1\nc.png,0,0\nd.png,1,0\n").unwrap();
        assert_eq!((flags.label.clone(), flags.labels.len()), (None, 2));
        assert_eq!(flags.note(), None);
    }

    #[test]
    fn a_list_of_something_else_is_none() {
        assert_eq!(guessed("path,label\nx.png,1\ny.png,0\na.png,0\n"), None);
        assert_eq!(guessed("a\n"), None);
    }
}
