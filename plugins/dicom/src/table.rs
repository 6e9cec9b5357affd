//! CSV files with named columns.

use crate::bounds;
use csv::{ByteRecord, ReaderBuilder, Trim};
use selfsame_plugin_api::{PluginError, Result};
use selfsame_tables::quotes;
use std::fs;
use std::path::{Path, PathBuf};

/// The rows of some columns of a CSV file.
#[derive(Debug)]
pub struct Table {
    pub path: PathBuf,
    /// Line in the file and one value for each column that was asked for; an optional column that is not there is empty.
    pub rows: Vec<(u64, Vec<String>)>,
}

/// One column that is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Column<'n> {
    /// By its name, in any case.
    Named(&'n str),
    First,
    /// Nothing.
    Absent,
}

/// Reads columns of a file.
///
/// # Errors
/// A file that cannot be read, is too large, lacks a column, has rows of another length, a quoted cell that is not closed
/// or a line break in one of the columns; the line is named.
pub fn read(path: &Path, columns: &[Column<'_>]) -> Result<Table> {
    let wrong = |why: String| PluginError::data(format!("{}: {why}", path.display()));
    let metadata = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    // A pipe would be waited for without end.
    if !metadata.is_file() {
        return Err(wrong("this is no regular file, expected a CSV file".into()));
    }
    let size = metadata.len();
    if size > bounds::CSV {
        return Err(wrong(format!("{size} bytes; CSV files of at most {} MiB are read", bounds::CSV >> 20)));
    }
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    if let Some(line) = quotes::unclosed(bytes, b',') {
        return Err(wrong(format!(
            "line {line} has a cell that begins with a quote and does not end with one; close it, or write a quote \
             inside a quoted cell twice"
        )));
    }
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(bytes);
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| reader.read_byte_record(record).map_err(|error| wrong(error.to_string()));
    if !next(&mut record)? {
        return Err(wrong("is empty, expected a line of column names".into()));
    }
    let names = record.iter().map(text).collect::<Option<Vec<_>>>();
    let names = names.ok_or_else(|| wrong("the column names are not UTF-8".into()))?;
    let find = |column: &Column<'_>| match column {
        Column::Absent => Ok(None),
        Column::First => Ok(Some(0)),
        Column::Named(name) => {
            let place = names.iter().position(|found| found.eq_ignore_ascii_case(name)).map(Some);
            let list: Vec<String> = names.iter().take(20).map(|name| shown(name)).collect();
            place.ok_or_else(|| wrong(format!("no column `{name}`; its columns are {}", list.join(", "))))
        }
    };
    let places = columns.iter().map(find).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    while next(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let value = |place: &Option<usize>| match place {
            None => Some(String::new()),
            Some(place) => record.get(*place).and_then(text),
        };
        let values = places.iter().map(value).collect::<Option<Vec<_>>>();
        let values = values.ok_or_else(|| wrong(format!("line {line} is not UTF-8")))?;
        if let Some(value) = values.iter().find(|value| value.contains(['\n', '\r'])) {
            let value = shown(value);
            return Err(wrong(format!("line {line}: the cell `{value}` holds a line break; correct its quotes")));
        }
        rows.push((line, values));
    }
    Ok(Table { path: path.to_path_buf(), rows })
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(|text| text.trim().to_owned())
}

/// A value for a message: short and on one line.
pub fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

impl Table {
    /// An error about one line.
    pub fn wrong(&self, line: u64, why: &str) -> PluginError {
        PluginError::data(format!("{}, line {line}: {why}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_lost_after_a_stray_quote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            super::read(&path, &[Column::First, Column::Named("label")])
        };
        for (text, part) in [
            ("id,label,note\na,0,\"unclear\nb,1,\nc,0,\n", "list.csv: line 2 has a cell that begins with a quote"),
            ("id,label,note\na,0,\"unclear\nb,1,\nc,0,\"unclear\n", "list.csv: line 2 has a cell"),
            ("id,label,note\na,0,\n\"b\nc\",1,\n", "list.csv: line 3: the cell `b?c` holds a line break"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message.contains(part), "{error}");
        }
        let table =
            read("\u{feff}\"id, own\",label,note\na,0,\"un\n\"\"clear\"\"\"\nb,1,5\" wide\n\"c\" ,0,\"\"\n").unwrap();
        let ids: Vec<&str> = table.rows.iter().map(|(_, values)| values[0].as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }
}
