//! Predicted probabilities of each image as a table: Parquet, or CSV.

use crate::error::Error;
use crate::storage::{Disk, write_atomically};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use selfsame_plugin_api::{Targets, Task};
use std::path::Path;
use std::sync::Arc;

/// Named columns of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionTable(Vec<(String, Column)>);

#[derive(Debug, Clone, PartialEq)]
enum Column {
    Text(Vec<String>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
}

/// The predicted images, in the order of the rows.
#[derive(Debug, Clone)]
pub struct PredictedImages {
    /// Each image's name.
    pub ids: Vec<String>,
    /// The split that each is of, where they are of several.
    pub splits: Option<Vec<&'static str>>,
    /// Each image's group (a patient's id), where there are any.
    pub groups: Option<Vec<String>>,
    /// True labels, where there are any.
    pub targets: Targets,
}

impl PredictionTable {
    /// Columns `id`; `split` and `group` where there are any; `label`, the class's name (for multilabel, a column
    /// `label:CLASS` of 0 and 1 for each); `seed`, where one is named; `predicted`, the likeliest class's name (not for
    /// multilabel); and `probability:CLASS` for each class. `predictions` are the seed and the probabilities
    /// `[images · classes]` of each classifier, one after the other.
    pub fn new(
        images: &PredictedImages,
        task: Task,
        classes: &[String],
        predictions: &[(Option<u64>, Vec<f64>)],
    ) -> Self {
        let (count, times) = (images.ids.len(), predictions.len());
        let repeated = |texts: Vec<String>| Column::Text((0..times).flat_map(|_| texts.clone()).collect());
        let mut columns = vec![("id".to_owned(), repeated(images.ids.clone()))];
        if let Some(splits) = &images.splits {
            columns.push(("split".into(), repeated(splits.iter().map(|split| (*split).to_owned()).collect())));
        }
        if let Some(groups) = &images.groups {
            columns.push(("group".into(), repeated(groups.clone())));
        }
        let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
        match &images.targets {
            Targets::None => {}
            Targets::Classes(labels) => {
                columns.push(("label".into(), repeated(labels.iter().map(|&label| name(label as usize)).collect())));
            }
            Targets::Multilabel(flags) => columns.extend(classes.iter().enumerate().map(|(class, name)| {
                let flags = flags.iter().skip(class).step_by(classes.len()).map(|&flag| i64::from(flag));
                let flags: Vec<_> = flags.collect();
                (format!("label:{name}"), Column::Integer((0..times).flat_map(|_| flags.clone()).collect()))
            })),
        }
        if predictions.iter().any(|(seed, _)| seed.is_some()) {
            let seeds = predictions.iter().flat_map(|(seed, _)| vec![seed.unwrap_or_default() as i64; count]);
            columns.push(("seed".into(), Column::Integer(seeds.collect())));
        }
        let all: Vec<f64> = predictions.iter().flat_map(|(_, probabilities)| probabilities.clone()).collect();
        if task != Task::Multilabel {
            let better = |row: &[f64], best: usize, other: usize| if row[other] > row[best] { other } else { best };
            let likeliest = |row: &[f64]| (0..row.len()).fold(0, |best, other| better(row, best, other));
            let predicted = all.chunks(classes.len().max(1)).map(|row| name(likeliest(row))).collect();
            columns.push(("predicted".into(), Column::Text(predicted)));
        }
        columns.extend(classes.iter().enumerate().map(|(class, name)| {
            let values = all.iter().skip(class).step_by(classes.len()).copied().collect();
            (format!("probability:{name}"), Column::Number(values))
        }));
        Self(columns)
    }

    /// Writes Parquet in one step.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_parquet(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.parquet().map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
        Ok(write_atomically(&Disk, path, &bytes)?)
    }

    /// As CSV (RFC 4180), a header first; numbers as short as they read back equal.
    ///
    /// # Errors
    /// None that a user meets: memory takes all.
    pub fn csv(&self) -> Result<String, Error> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let refused = |error: csv::Error| Error::data(error.to_string());
        csv.write_record(self.0.iter().map(|(name, _)| name)).map_err(refused)?;
        for row in 0..self.rows() {
            let cell = |column: &Column| match column {
                Column::Text(texts) => texts[row].clone(),
                Column::Integer(values) => values[row].to_string(),
                Column::Number(values) => values[row].to_string(),
            };
            csv.write_record(self.0.iter().map(|(_, column)| cell(column))).map_err(refused)?;
        }
        let bytes = csv.into_inner().map_err(|error| Error::data(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| Error::data(error.to_string()))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.0.first().map_or(0, |(_, column)| match column {
            Column::Text(values) => values.len(),
            Column::Integer(values) => values.len(),
            Column::Number(values) => values.len(),
        })
    }

    fn parquet(&self) -> Result<Vec<u8>, ParquetError> {
        let fields = self.0.iter().map(|(name, column)| {
            let field = match column {
                Column::Text(_) => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                    .with_logical_type(Some(LogicalType::String))
                    .with_converted_type(ConvertedType::UTF8),
                Column::Integer(_) => Type::primitive_type_builder(name, Physical::INT64),
                Column::Number(_) => Type::primitive_type_builder(name, Physical::DOUBLE),
            };
            field.with_repetition(Repetition::REQUIRED).build().map(Arc::new)
        });
        let schema = Type::group_type_builder("predictions").with_fields(fields.collect::<Result<_, _>>()?).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build();
        let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        let mut group = file.next_row_group()?;
        for (name, column) in &self.0 {
            let Some(mut writer) = group.next_column()? else {
                return Err(ParquetError::General(format!("the column {name} is missing")));
            };
            match (column, writer.untyped()) {
                (Column::Text(texts), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                    let texts: Vec<_> = texts.iter().map(|text| ByteArray::from(text.as_str())).collect();
                    writer.write_batch(&texts, None, None)?
                }
                (Column::Integer(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                    writer.write_batch(values, None, None)?
                }
                (Column::Number(values), ColumnWriter::DoubleColumnWriter(writer)) => {
                    writer.write_batch(values, None, None)?
                }
                _ => return Err(ParquetError::General(format!("the column {name} is of another type"))),
            };
            writer.close()?;
        }
        group.close()?;
        file.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    fn images(targets: Targets) -> PredictedImages {
        PredictedImages {
            ids: vec!["a,1.png".into(), "b.png".into()],
            splits: None,
            groups: Some(vec!["p".into(), "q".into()]),
            targets,
        }
    }

    fn classes() -> Vec<String> {
        vec!["cat".into(), "dog".into()]
    }

    #[test]
    fn an_image_has_a_row_for_each_seed() {
        let predictions = [(Some(1), vec![0.25, 0.75, 0.5, 0.5]), (Some(2), vec![1.0, 0.0, 0.125, 0.875])];
        let table = PredictionTable::new(&images(Targets::Classes(vec![1, 0])), Task::Binary, &classes(), &predictions);
        let expected = "id,group,label,seed,predicted,probability:cat,probability:dog\n\
                        \"a,1.png\",p,dog,1,dog,0.25,0.75\nb.png,q,cat,1,cat,0.5,0.5\n\
                        \"a,1.png\",p,dog,2,cat,1,0\nb.png,q,cat,2,dog,0.125,0.875\n";
        assert_eq!(table.csv().unwrap(), expected);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.parquet");
        table.write_parquet(&path).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(rows.len(), 4);
        let row = "{id: \"b.png\", group: \"q\", label: \"cat\", seed: 2, predicted: \"dog\", probability:cat: 0.125, \
                   probability:dog: 0.875}";
        assert_eq!(rows[3], row);
    }

    #[test]
    fn labels_of_a_multilabel_task_stand_for_themselves() {
        let table = PredictionTable::new(
            &images(Targets::Multilabel(vec![1, 0, 1, 1])),
            Task::Multilabel,
            &classes(),
            &[(None, vec![0.5, 0.25, 1.0, 0.0])],
        );
        let expected = "id,group,label:cat,label:dog,probability:cat,probability:dog\n\
                        \"a,1.png\",p,1,0,0.5,0.25\nb.png,q,1,1,1,0\n";
        assert_eq!(table.csv().unwrap(), expected);
        let unlabelled =
            PredictionTable::new(&images(Targets::None), Task::Binary, &classes(), &[(None, vec![0.0; 4])]);
        assert!(unlabelled.csv().unwrap().starts_with("id,group,predicted,probability:cat,"));
    }
}
