//! Columns of one Parquet file: where they are, and what those with labels, splits and groups hold.

use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use selfsame_plugin_api::{PluginError, Result, files};
use selfsame_tables::names;
use std::fs::File;
use std::path::{Path, PathBuf};

/// An opened file.
pub struct Table {
    pub path: PathBuf,
    pub reader: SerializedFileReader<File>,
}

/// A column's place, and the level at which its values are there.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub place: usize,
    pub is_optional: bool,
    kind: Type,
}

impl Table {
    /// Reads the file's footer.
    ///
    /// # Errors
    /// A file that cannot be read or is no Parquet file, by its path.
    pub fn open(path: &Path) -> Result<Self> {
        let file = files::open(path)?;
        let reader = SerializedFileReader::new(file).map_err(|error| wrong(path, &error.to_string()))?;
        Ok(Self { path: path.to_owned(), reader })
    }

    /// Number of rows in each row group.
    pub fn groups(&self) -> Vec<usize> {
        let groups = self.reader.metadata().row_groups().iter();
        groups.map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).collect()
    }

    /// The column of this name; `image.bytes` is `bytes` in the structure `image`.
    pub fn find(&self, name: &str) -> Option<Column> {
        let columns = self.reader.metadata().file_metadata().schema_descr().columns();
        let place = columns.iter().position(|column| column.path().string() == name)?;
        let column = &columns[place];
        // A list has several values a row.
        (column.max_rep_level() == 0).then(|| Column {
            place,
            is_optional: column.max_def_level() > 0,
            kind: column.physical_type(),
        })
    }

    /// The column of this name, which `option` asks for.
    ///
    /// # Errors
    /// There is none; with those that there are.
    pub fn column(&self, name: &str, option: &str) -> Result<Column> {
        self.find(name).ok_or_else(|| {
            let columns = self.reader.metadata().file_metadata().schema_descr().columns();
            let known: Vec<String> = columns.iter().map(|column| column.path().string()).collect();
            let hint = names::suggestion(name, known.iter().map(String::as_str));
            PluginError::configuration(format!(
                "option `{option}`: {} has no column `{name}` with one value a row{hint} (its columns: {})",
                self.path.display(),
                names::some_of(&known)
            ))
        })
    }

    /// The column of images: bytes, or those in a structure.
    ///
    /// # Errors
    /// There is none, or it holds something else.
    pub fn images(&self, name: &str) -> Result<Column> {
        let column = match self.find(&format!("{name}.bytes")) {
            Some(column) => column,
            None => self.column(name, "image_column")?,
        };
        match column.kind {
            Type::BYTE_ARRAY => Ok(column),
            kind => {
                Err(wrong(&self.path, &format!("its column `{name}` holds {kind}, expected bytes of encoded images")))
            }
        }
    }

    /// All values of a column as text; none where there is no value.
    ///
    /// # Errors
    /// A damaged file, and a column of neither texts, whole numbers nor truth values.
    pub fn texts(&self, column: Column, name: &str) -> Result<Vec<Option<String>>> {
        let broken = |error: ParquetError| wrong(&self.path, &format!("column `{name}`: {error}"));
        let mut all = Vec::new();
        for (group, rows) in self.groups().into_iter().enumerate() {
            let reader = self.reader.get_row_group(group).and_then(|group| group.get_column_reader(column.place));
            match reader.map_err(broken)? {
                ColumnReader::BoolColumnReader(reader) => {
                    all.extend(values(reader, rows, |value| Ok(value.to_string())).map_err(broken)?);
                }
                ColumnReader::Int32ColumnReader(reader) => {
                    all.extend(values(reader, rows, |value| Ok(value.to_string())).map_err(broken)?);
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    all.extend(values(reader, rows, |value| Ok(value.to_string())).map_err(broken)?);
                }
                ColumnReader::ByteArrayColumnReader(reader) => {
                    let text = |value: &ByteArray| value.as_utf8().map(str::to_owned);
                    all.extend(values(reader, rows, text).map_err(broken)?);
                }
                _ => {
                    let message = format!("its column `{name}` holds {}, expected texts or whole numbers", column.kind);
                    return Err(wrong(&self.path, &message));
                }
            }
        }
        Ok(all)
    }

    /// Names of the classes that Hugging Face's `datasets` writes beside a column of class numbers.
    pub fn class_names(&self, column: &str) -> Option<Vec<String>> {
        let pairs = self.reader.metadata().file_metadata().key_value_metadata()?;
        let json = pairs.iter().find(|pair| pair.key == "huggingface")?.value.as_deref()?;
        let json: serde_json::Value = serde_json::from_str(json).ok()?;
        let names = json.get("info")?.get("features")?.get(column)?.get("names")?.as_array()?;
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    }
}

/// The values of one row group, each as text.
fn values<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    text: impl Fn(&T::T) -> std::result::Result<String, ParquetError>,
) -> std::result::Result<Vec<Option<String>>, ParquetError> {
    let (mut levels, mut present) = (Vec::new(), Vec::new());
    let (read, ..) = reader.read_records(rows, Some(&mut levels), None, &mut present)?;
    let texts = present.iter().map(text).collect::<std::result::Result<Vec<_>, _>>()?;
    spread(read, &levels, texts)
}

/// Puts nothing where rows have no value: those whose level is below the largest one that a value has.
///
/// # Errors
/// Levels that do not go with the values.
pub fn spread<T>(rows: usize, levels: &[i16], present: Vec<T>) -> std::result::Result<Vec<Option<T>>, ParquetError> {
    if present.len() == rows {
        return Ok(present.into_iter().map(Some).collect());
    }
    let full = levels.iter().max().copied().unwrap_or(0);
    let mut present = present.into_iter();
    let all: Vec<Option<T>> = levels.iter().map(|level| if *level == full { present.next() } else { None }).collect();
    match all.len() == rows && present.next().is_none() {
        true => Ok(all),
        false => Err(ParquetError::General("its levels do not go with its values".into())),
    }
}

/// An error about a file.
pub fn wrong(path: &Path, message: &str) -> PluginError {
    PluginError::data(format!("{}: {message}", path.display()))
}
