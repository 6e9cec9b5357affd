//! Parquet: columns `id`, `split`, `label` and `class` (or `labels`, a list of 0 and 1, for multilabel), `group`, and
//! `embedding`, a list of floats. Written in row groups, so that not all rows have to be in memory.

use super::{Format, Rows, Target};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use selfsame_plugin_api::Targets;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Floats in a row group (64 MiB).
const GROUP_FLOATS: usize = 1 << 24;

pub(super) struct Parquet {
    file: SerializedFileWriter<Target>,
    rows: Rows,
    dim: usize,
    waiting: Vec<f32>,
    written: usize,
}

pub(super) fn begin(target: Target, rows: &Rows, dim: usize, facts: &[(&str, &str)]) -> io::Result<Parquet> {
    let mut schema =
        String::from("message embeddings { REQUIRED BYTE_ARRAY id (STRING); REQUIRED BYTE_ARRAY split (STRING);");
    schema.push_str(match rows.targets {
        Targets::None => "",
        Targets::Classes(_) => "REQUIRED INT64 label; REQUIRED BYTE_ARRAY class (STRING);",
        Targets::Multilabel(_) => "REQUIRED group labels (LIST) { REPEATED group list { REQUIRED INT32 element; } }",
    });
    schema.push_str(if rows.groups.is_some() { "REQUIRED BYTE_ARRAY group (STRING);" } else { "" });
    schema.push_str("REQUIRED group embedding (LIST) { REPEATED group list { REQUIRED FLOAT element; } } }");
    let mut metadata: Vec<_> =
        facts.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), Some((*value).to_owned()))).collect();
    metadata.push(KeyValue::new("classes".into(), Some(serde_json::json!(rows.classes).to_string())));
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled("embedding.list.element".into(), false)
        .set_column_dictionary_enabled("id".into(), false)
        .set_key_value_metadata(Some(metadata))
        .build();
    let schema = Arc::new(parse_message_type(&schema).map_err(error)?);
    let file = SerializedFileWriter::new(target, schema, Arc::new(properties)).map_err(error)?;
    Ok(Parquet { file, rows: rows.clone(), dim, waiting: Vec::new(), written: 0 })
}

impl Format for Parquet {
    fn write(&mut self, values: &[f32]) -> io::Result<()> {
        self.waiting.extend_from_slice(values);
        if self.waiting.len() >= GROUP_FLOATS { self.write_group() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<Target> {
        if !self.waiting.is_empty() {
            self.write_group()?;
        }
        self.file.into_inner().map_err(error)
    }
}

impl Parquet {
    fn write_group(&mut self) -> io::Result<()> {
        let rows = self.written..self.written + self.waiting.len() / self.dim;
        let mut group = self.file.next_row_group().map_err(error)?;
        let mut next = |write: &dyn Fn(&mut ColumnWriter<'_>) -> Result<usize, ParquetError>| -> io::Result<()> {
            let column = group.next_column().map_err(error)?;
            let mut column = column.ok_or_else(|| io::Error::other("parquet: a column is missing"))?;
            write(column.untyped()).map_err(error)?;
            column.close().map_err(error)
        };
        next(&|column| texts(column, self.rows.ids[rows.clone()].iter().map(String::as_str)))?;
        next(&|column| texts(column, self.rows.splits[rows.clone()].iter().map(|split| split.name())))?;
        match &self.rows.targets {
            Targets::None => {}
            Targets::Classes(labels) => {
                let labels = &labels[rows.clone()];
                next(&|column| match column {
                    ColumnWriter::Int64ColumnWriter(column) => column.write_batch(labels, None, None),
                    _ => Err(other_type()),
                })?;
                next(&|column| texts(column, labels.iter().map(|&label| self.rows.classes[label as usize].as_str())))?;
            }
            Targets::Multilabel(flags) => {
                let classes = self.rows.classes.len();
                let flags: Vec<i32> =
                    flags[rows.start * classes..rows.end * classes].iter().map(|&flag| i32::from(flag)).collect();
                let (definition, repetition) = levels(&rows, classes);
                next(&|column| match column {
                    ColumnWriter::Int32ColumnWriter(column) => {
                        column.write_batch(&flags, Some(&definition), Some(&repetition))
                    }
                    _ => Err(other_type()),
                })?;
            }
        }
        if let Some(groups) = &self.rows.groups {
            next(&|column| texts(column, groups[rows.clone()].iter().map(String::as_str)))?;
        }
        let (definition, repetition) = levels(&rows, self.dim);
        next(&|column| match column {
            ColumnWriter::FloatColumnWriter(column) => {
                column.write_batch(&self.waiting, Some(&definition), Some(&repetition))
            }
            _ => Err(other_type()),
        })?;
        group.close().map_err(error)?;
        self.waiting.clear();
        self.written = rows.end;
        Ok(())
    }
}

/// Levels of lists of one length: every element is there, and the first of each row begins a new list.
fn levels(rows: &Range<usize>, length: usize) -> (Vec<i16>, Vec<i16>) {
    let count = rows.len() * length;
    (vec![1; count], (0..count).map(|at| i16::from(at % length != 0)).collect())
}

fn texts<'a>(column: &mut ColumnWriter<'_>, texts: impl Iterator<Item = &'a str>) -> Result<usize, ParquetError> {
    let ColumnWriter::ByteArrayColumnWriter(column) = column else { return Err(other_type()) };
    column.write_batch(&texts.map(ByteArray::from).collect::<Vec<_>>(), None, None)
}

fn other_type() -> ParquetError {
    ParquetError::General("a column has another type than the schema says".into())
}

fn error(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
