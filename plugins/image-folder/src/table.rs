//! A CSV file with a header: comma, semicolon or tab; quotes; any line ending; UTF-8 with or without a mark.

use crate::{names, text};
use csv::{ReaderBuilder, StringRecord, Trim};
use selfsame_plugin_api::{PluginError, Result};
use selfsame_tables::quotes;
use std::path::{Path, PathBuf};

/// A whole file.
#[derive(Debug)]
pub struct Table {
    file: PathBuf,
    columns: Vec<String>,
    /// Each row with the number of its line.
    pub rows: Vec<(u64, StringRecord)>,
}

/// A column that is known to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column(usize);

impl Table {
    /// Reads the file.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8, has a quoted cell that is not closed, or a row of another length than the
    /// header.
    pub fn read(file: &Path) -> Result<Self> {
        let wrong = |what: &str| PluginError::data(format!("{}: {what}", file.display()));
        let text = text::read(file)?;
        let delimiter = delimiter(&text);
        if let Some(line) = quotes::unclosed(text.as_bytes(), delimiter) {
            return Err(wrong(&format!(
                "line {line} has a cell that begins with a quote and does not end with one; close it, or write a quote \
                 inside a quoted cell twice"
            )));
        }
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
        let unparsable = |error: csv::Error| wrong(&error.to_string());
        let mut columns: Vec<String> = reader.headers().map_err(unparsable)?.iter().map(str::to_string).collect();
        // Some published lists end their header with a comma.
        while columns.len() > 1 && columns.last().is_some_and(String::is_empty) {
            columns.pop();
        }
        if columns.iter().all(String::is_empty) {
            return Err(wrong("the file is empty, expected a header and a row for each image"));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(unparsable)?;
            let line = record.position().map_or(0, csv::Position::line);
            // Some published lists end their lines with a comma.
            let extra = record.iter().skip(columns.len()).any(|field| !field.is_empty());
            if record.len() < columns.len() || extra {
                let message = format!("line {line} has {} fields, expected {}", record.len(), columns.len());
                return Err(wrong(&format!("{message} as in the header")));
            }
            rows.push((line, record));
        }
        if rows.is_empty() {
            return Err(wrong("there are no rows below the header"));
        }
        Ok(Self { file: file.to_path_buf(), columns, rows })
    }

    /// The column of this name, which `option` asks for.
    ///
    /// # Errors
    /// No such column, or two of them; the message names the nearest one.
    pub fn column(&self, name: &str, option: &str) -> Result<Column> {
        let mut places = self.columns.iter().enumerate().filter(|(_, column)| *column == name.trim());
        match (places.next(), places.next()) {
            (Some((place, _)), None) => Ok(Column(place)),
            (Some(_), Some(_)) => {
                let message = format!("{}: there are two columns `{name}`; rename one", self.file.display());
                Err(PluginError::data(message))
            }
            (None, _) => {
                let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
                let (list, hint) = (columns.join(", "), names::suggestion(name, columns.iter().copied()));
                Err(PluginError::configuration(format!(
                    "option `{option}`: {} has no column `{name}`{hint} (its columns: {})",
                    self.file.display(),
                    names::shortened(&list)
                )))
            }
        }
    }

    /// Refuses cells of these columns with a line break: another row may have slipped into them.
    ///
    /// # Errors
    /// Such a cell; the message names its line.
    pub fn expect_single_lines(&self, columns: &[Column]) -> Result<()> {
        for (line, row) in &self.rows {
            if let Some(column) = columns.iter().find(|column| self.cell(row, **column).contains(['\n', '\r'])) {
                let message = format!("`{}` holds a line break; correct its quotes", self.name(*column));
                return Err(self.wrong(*line, &message));
            }
        }
        Ok(())
    }

    /// The column's cell in a row.
    pub fn cell<'a>(&self, row: &'a StringRecord, column: Column) -> &'a str {
        row.get(column.0).unwrap_or_default()
    }

    /// The column's name.
    pub fn name(&self, column: Column) -> &str {
        &self.columns[column.0]
    }

    /// An error about one line.
    pub fn wrong(&self, line: u64, what: &str) -> PluginError {
        PluginError::data(format!("{}: line {line}: {what}", self.file.display()))
    }
}

/// The separator that the header has most of, outside quotes; a comma when it has none.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in header.bytes() {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == byte && !quoted) {
            *count += 1;
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| *byte)
}
