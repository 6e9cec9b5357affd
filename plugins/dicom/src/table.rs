//! CSV files with named columns.

use crate::bounds;
use csv::{ByteRecord, ReaderBuilder, Trim};
use selfsame_plugin_api::{PluginError, Result};
use std::fs::{self, File};
use std::io::BufReader;
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
/// A file that cannot be read, is too large, lacks a column or has rows of another length; the line is named.
pub fn read(path: &Path, columns: &[Column<'_>]) -> Result<Table> {
    let wrong = |why: String| PluginError::data(format!("{}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > bounds::CSV {
        return Err(wrong(format!("{size} bytes; CSV files of at most {} MiB are read", bounds::CSV >> 20)));
    }
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(BufReader::new(file));
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
        rows.push((line, values.ok_or_else(|| wrong(format!("line {line} is not UTF-8")))?));
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
