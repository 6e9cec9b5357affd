//! The columns of a CSV file that are asked for.

use selfsame_plugin_api::{PluginError, Result};
use selfsame_tables::files::printable;
use selfsame_tables::text;
use std::path::Path;

/// The rows of some columns of a CSV file.
#[derive(Debug)]
pub struct Table {
    source: selfsame_tables::Table,
    columns: Vec<Option<selfsame_tables::Column>>,
    /// Line in the file and one value for each column that was asked for; one that is not asked for is empty.
    pub rows: Vec<(u64, Vec<String>)>,
}

/// One column that is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Column<'n> {
    /// Of this name, in every file of its kind.
    Own(&'n str),
    /// Of the name that an option gives.
    Option {
        name: &'n str,
        option: &'n str,
    },
    First,
    /// Nothing.
    Absent,
}

/// Reads columns of a file; `option` is the one that names it, with what is written there.
///
/// # Errors
/// A file that cannot be read, or lacks a column; a row or a cell as [`selfsame_tables::Table::rows`] says.
pub fn read(path: &Path, option: Option<(&str, &Path)>, columns: &[Column<'_>]) -> Result<Table> {
    let named = |error| match option {
        Some((option, written)) => text::set_by(error, option, &printable(written)),
        None => error,
    };
    let source = selfsame_tables::Table::open(path).map_err(named)?;
    let find = |column: &Column<'_>| match *column {
        Column::Own(name) => source.own_column(name).map(Some),
        Column::Option { name, option } => source.column(name, option).map(Some),
        Column::First => Ok(Some(source.first())),
        Column::Absent => Ok(None),
    };
    let columns = columns.iter().map(find).collect::<Result<Vec<_>>>()?;
    let used: Vec<_> = columns.iter().copied().flatten().collect();
    let values = |row: &selfsame_tables::Row| {
        columns.iter().map(|column| column.map_or("", |column| row.cell(column)).to_owned()).collect()
    };
    let rows = source.rows(&used)?.iter().map(|row| (row.line, values(row))).collect();
    Ok(Table { source, columns, rows })
}

/// A value for a message: short and on one line.
pub fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

impl Table {
    /// The file.
    pub fn path(&self) -> &Path {
        self.source.file()
    }

    /// The name of the column at this place among those that were asked for; nothing for one that is absent.
    pub fn column(&self, place: usize) -> &str {
        self.columns.get(place).copied().flatten().map_or("", |column| self.source.name(column))
    }

    /// An error about one line.
    pub fn wrong(&self, line: u64, why: &str) -> PluginError {
        self.source.wrong(line, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn no_row_is_lost_after_a_stray_quote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            super::read(&path, None, &[Column::First, Column::Own("label")])
        };
        for (text, part) in [
            ("id,label,note\na,0,\"unclear\nb,1,\nc,0,\n", "list.csv: line 2 has a cell that begins with a quote"),
            ("id,label,note\na,0,\"unclear\nb,1,\nc,0,\"unclear\n", "list.csv: line 2 has a cell"),
            ("id,label,note\na,0,\n\"b\nc\",1,\n", "list.csv: line 3: `id` holds a line break, `b c`"),
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
