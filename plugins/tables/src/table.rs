//! A CSV file with a header: comma, semicolon or tab; quotes; any line ending; UTF-8 with or without a mark.

use crate::{names, quotes, text};
use csv::{ByteRecord, Position, Reader, ReaderBuilder, StringRecord, Trim};
use selfsame_plugin_api::{PluginError, Result};
use std::path::{Path, PathBuf};

/// A file whose header was read.
#[derive(Debug)]
pub struct Table {
    file: PathBuf,
    bytes: Vec<u8>,
    delimiter: u8,
    columns: Vec<String>,
    /// Fields of the header, with those at its end that name no column.
    width: usize,
}

/// A column that is known to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column(usize);

/// The cells of one row in the columns that are used.
#[derive(Debug)]
pub struct Row {
    /// Where the row begins in the file.
    pub line: u64,
    cells: StringRecord,
}

impl Row {
    /// The column's cell, without blanks around it; empty for a column that the rows were not read with.
    pub fn cell(&self, column: Column) -> &str {
        self.cells.get(column.0).unwrap_or_default()
    }
}

impl Table {
    /// Reads the header.
    ///
    /// # Errors
    /// A file that cannot be read or is empty, column names that are not UTF-8, or a quoted cell that is not closed.
    pub fn open(file: &Path) -> Result<Self> {
        let wrong = |what: &str| PluginError::data(format!("{}: {what}", file.display()));
        let mut bytes = text::bytes(file)?;
        let stated = stated_delimiter(&mut bytes);
        let delimiter = stated.unwrap_or_else(|| delimiter(&bytes));
        let bytes = quotes::without_blanks_before(bytes, delimiter);
        if let Some(line) = quotes::unclosed(&bytes, delimiter) {
            return Err(wrong(&format!(
                "line {line} has a cell that begins with a quote and does not end with one; close it, or write a quote \
                 inside a quoted cell twice"
            )));
        }
        let mut reader = reader(&bytes, delimiter);
        let header = reader.byte_headers().map_err(|error| wrong(&error.to_string()))?;
        let line = header.position().map_or(1, Position::line);
        let columns = header.iter().map(cell).collect::<Option<Vec<_>>>();
        let mut columns = columns.ok_or_else(|| wrong(&not_utf8(line)))?;
        let width = columns.len();
        // Some published lists end their header with a comma.
        while columns.len() > 1 && columns.last().is_some_and(String::is_empty) {
            columns.pop();
        }
        if columns.iter().all(String::is_empty) {
            return Err(wrong("the file is empty, expected a header and a row for each image"));
        }
        drop(reader);
        Ok(Self { file: file.to_path_buf(), bytes, delimiter, columns, width })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The column of this name, which `option` asks for.
    ///
    /// # Errors
    /// No such column, or two of them; the message names the nearest one.
    pub fn column(&self, name: &str, option: &str) -> Result<Column> {
        let lacking = |what: String| PluginError::configuration(format!("option `{option}`: {what}"));
        self.find(name)?.ok_or_else(|| lacking(self.lacks(name)))
    }

    /// The column of this name, which every file of this kind has.
    ///
    /// # Errors
    /// As [`Table::column`].
    pub fn own_column(&self, name: &str) -> Result<Column> {
        self.find(name)?.ok_or_else(|| PluginError::data(self.lacks(name)))
    }

    /// The first column.
    pub fn first(&self) -> Column {
        Column(0)
    }

    /// All columns that have a name, in their order.
    pub fn columns(&self) -> Vec<Column> {
        (0..self.columns.len()).filter(|&place| !self.columns[place].is_empty()).map(Column).collect()
    }

    /// By its name, or else by its name in any case.
    fn find(&self, name: &str) -> Result<Option<Column>> {
        let name = name.trim();
        let places = |is_same: &dyn Fn(&str) -> bool| -> Vec<usize> {
            (0..self.columns.len()).filter(|&place| is_same(&self.columns[place])).collect()
        };
        let exact = places(&|column| column == name);
        let found = if exact.is_empty() { places(&|column| column.eq_ignore_ascii_case(name)) } else { exact };
        match found[..] {
            [] => Ok(None),
            [place] => Ok(Some(Column(place))),
            _ => {
                let message = format!("{}: there are two columns `{name}`; rename one", self.file.display());
                Err(PluginError::data(message))
            }
        }
    }

    fn lacks(&self, name: &str) -> String {
        let hint = names::suggestion(name, self.columns.iter().map(String::as_str));
        let list = names::shortened(&self.columns.join(", "));
        format!("{} has no column `{name}`{hint} (its columns: {list})", self.file.display())
    }

    /// The column's name.
    pub fn name(&self, column: Column) -> &str {
        &self.columns[column.0]
    }

    /// All rows with their cells in the columns that are `used`; rows without any content are passed over.
    ///
    /// # Errors
    /// No rows, a row of another length than the header, and a used cell that is not UTF-8 or holds a line break: another row
    /// may have slipped into it.
    pub fn rows(&self, used: &[Column]) -> Result<Vec<Row>> {
        let mut reader = reader(&self.bytes, self.delimiter);
        let mut record = ByteRecord::new();
        let mut rows = Vec::new();
        let unparsable = |error: csv::Error| PluginError::data(format!("{}: {error}", self.file.display()));
        while reader.read_byte_record(&mut record).map_err(unparsable)? {
            let line = record.position().map_or(0, Position::line);
            if record.iter().all(<[u8]>::is_empty) {
                continue;
            }
            // Some published lists end their lines with a comma.
            let has_more = record.iter().skip(self.width).any(|field| !field.is_empty());
            if record.len() < self.columns.len() || has_more {
                let (file, count, expected) = (self.file.display(), record.len(), self.columns.len());
                let message = format!("{file}: line {line} has {count} fields, expected {expected} as in the header");
                return Err(PluginError::data(message));
            }
            rows.push(Row { line, cells: self.cells(line, &record, used)? });
        }
        if rows.is_empty() {
            return Err(PluginError::data(format!("{}: there are no rows below the header", self.file.display())));
        }
        Ok(rows)
    }

    fn cells(&self, line: u64, record: &ByteRecord, used: &[Column]) -> Result<StringRecord> {
        let mut cells = StringRecord::new();
        for (place, bytes) in record.iter().enumerate().take(self.columns.len()) {
            let column = Column(place);
            if !used.contains(&column) {
                cells.push_field("");
                continue;
            }
            let text =
                cell(bytes).ok_or_else(|| PluginError::data(format!("{}: {}", self.file.display(), not_utf8(line))))?;
            if text.contains(['\n', '\r']) {
                let (name, text) = (self.name(column), names::shortened(&text));
                return Err(self.wrong(line, &format!("`{name}` holds a line break, `{text}`; correct its quotes")));
            }
            cells.push_field(&text);
        }
        Ok(cells)
    }

    /// An error about one line.
    pub fn wrong(&self, line: u64, what: &str) -> PluginError {
        PluginError::data(format!("{}: line {line}: {what}", self.file.display()))
    }
}

fn not_utf8(line: u64) -> String {
    format!("line {line} is not UTF-8; save the file as UTF-8")
}

fn reader(bytes: &[u8], delimiter: u8) -> Reader<&[u8]> {
    ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(Trim::All).from_reader(bytes)
}

/// The cell's text without blanks around it.
fn cell(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(|text| text.trim().to_owned())
}

/// The separator of a first line `sep=;`, as Excel writes and reads it. The line becomes an empty one, so that others keep their
/// numbers.
fn stated_delimiter(bytes: &mut Vec<u8>) -> Option<u8> {
    let (start, separator, rest) = bytes.split_at_checked(4).and_then(|(start, rest)| {
        let (&separator, rest) = rest.split_first()?;
        Some((start, separator, rest))
    })?;
    let is_line = start.eq_ignore_ascii_case(b"sep=") && matches!(rest.first(), Some(b'\r' | b'\n'));
    if !is_line || !matches!(separator, b',' | b';' | b'\t') {
        return None;
    }
    bytes.drain(..5);
    Some(separator)
}

/// The separator that the header has most of, outside quotes; a comma when it has none.
fn delimiter(bytes: &[u8]) -> u8 {
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    let header = lines.into_iter().find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for &byte in header {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == byte && !quoted) {
            *count += 1;
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| *byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn written(bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list.csv");
        fs::write(&file, bytes).unwrap();
        (folder, file)
    }

    /// The cells of two columns.
    fn read(bytes: impl AsRef<[u8]>) -> Result<Vec<[String; 2]>> {
        let (_folder, file) = written(bytes);
        let table = Table::open(&file)?;
        let columns = [table.own_column("id")?, table.own_column("label")?];
        let cells = |row: &Row| columns.map(|column| row.cell(column).to_owned());
        Ok(table.rows(&columns)?.iter().map(cells).collect())
    }

    #[test]
    fn one_list_is_read_however_a_program_writes_it() {
        for text in [
            "id,label\na,0\nb,1\n",
            "\u{feff}id;label\r\na;0\r\n\"b\";\"1\"",
            "id\tnote\tlabel\na\tone, two; three\t0\n\nb\t\"a \"\"b\"\"\nc\"\t 1 \n",
            "label, id,\n0,a,\n1,b\n",
            "id,label\n\na,0\n   \n,\nb,1\n,,,\n",
            "ID,note,Label\ra,,0\rb,,1\r",
            "sep=;\r\nid;label;note\r\na;0;x,y\r\nb;1;\r\n",
            "SEP=,\nid,label\na,0\nb,1\n\0\0\0",
            "\"id\", \"label\", \"note\"\n\"a\", \"0\", \"x, y\"\n \"b\", \"1\", \"\"\n",
            ",id,label,\n0,a,0,a word without a column\n1,b,1,\n",
            "id,note,label\na, \"pale\" film,0\nb, a \"dark\" one, \"1\"\n",
        ] {
            assert_eq!(read(text).unwrap(), [["a", "0"], ["b", "1"]], "{text}");
        }
        assert_eq!(read(b"id,label,note\na,0,f\xfcnf\n").unwrap(), [["a", "0"]]);
    }

    #[test]
    fn a_column_is_taken_by_its_very_name_before_any_other_case() {
        assert_eq!(read("ID,id,label\nA,a,0\n").unwrap(), [["a", "0"]]);
        let message = read("ID,Id,label\nA,a,0\n").unwrap_err().message;
        assert!(message.ends_with("list.csv: there are two columns `id`; rename one"), "{message}");
        let message = read("id,lable\na,0\n").unwrap_err().message;
        assert!(message.contains("list.csv has no column `label`; did you mean `lable`? (its columns: id, lable)"));
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let utf16 = |bytes: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            format!("{mark}id,label\na,0\n").encode_utf16().flat_map(bytes).collect()
        };
        for (bytes, part) in [
            (b"".to_vec(), "list.csv: the file is empty"),
            (b"id,label\n".to_vec(), "list.csv: there are no rows"),
            (b"id,label\na\n".to_vec(), "list.csv: line 2 has 1 fields, expected 2 as in the header"),
            (b"sep=;\nid;label\na\n".to_vec(), "list.csv: line 3 has 1 fields, expected 2"),
            (b"id,label\na,0,1\n".to_vec(), "list.csv: line 2 has 3 fields, expected 2 as in the header"),
            (b"id,label\na,0\nb,\xff\n".to_vec(), "list.csv: line 3 is not UTF-8; save the file as UTF-8"),
            (b"id,label\xff\na,0\n".to_vec(), "list.csv: line 1 is not UTF-8"),
            (b"id,label\na,0\nb,\"1\nc\"\n".to_vec(), "list.csv: line 3: `label` holds a line break, `1 c`"),
            (b"id;label\na;\"0\nb;1\n".to_vec(), "list.csv: line 2 has a cell that begins with a quote"),
            (utf16(u16::to_le_bytes, "\u{feff}"), "list.csv: this is UTF-16; save the file as UTF-8"),
            (utf16(u16::to_be_bytes, "\u{feff}"), "list.csv: this is UTF-16"),
            (utf16(u16::to_le_bytes, ""), "list.csv: this is UTF-16"),
            (utf16(u16::to_be_bytes, ""), "list.csv: this is UTF-16"),
        ] {
            let message = read(&bytes).unwrap_err().message;
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
}
