//! Embeddings as files, written batch by batch under a temporary name that one rename replaces.

mod npy;
mod parquet;
mod safetensors;

use crate::error::Error;
use crate::storage::{Disk, FileError, Naming, Temporary, create_beside, put_in_place};
use selfsame_plugin_api::{ErrorKind, Split, Targets, without_backtrace};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tch::{Device, Kind, TchError, Tensor};

/// What is known of the embedded samples, in the order of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Each sample's name, unique in its split.
    pub ids: Vec<String>,
    /// The split that each is of.
    pub splits: Vec<Split>,
    /// Labels, where there are any.
    pub targets: Targets,
    /// Each sample's group (a patient's id), where there are any.
    pub groups: Option<Vec<String>>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

/// One format.
trait Format {
    /// Writes the next rows, `values.len() / dim` of them.
    fn write(&mut self, values: &[f32]) -> io::Result<()>;
    /// Writes what is left; returns the file.
    fn finish(self: Box<Self>) -> io::Result<Target>;
}

type Target = BufWriter<File>;

/// A file of embeddings in the making.
pub struct Embeddings {
    format: Box<dyn Format>,
    /// Unfinished file and final name, then of the one beside it.
    files: Vec<(Temporary, PathBuf)>,
}

impl Embeddings {
    /// Begins a file of `rows.ids.len()` rows of `dim` floats; its name's end says in which format. `.npy` holds the
    /// matrix alone, so a `.csv` of the same name is written beside it. `facts` go into the file where it can hold them.
    ///
    /// # Errors
    /// An unknown format, a file that exists (unless `force`), a folder that cannot be written to.
    pub fn create(path: &Path, force: bool, rows: &Rows, dim: usize, facts: &[(&str, &str)]) -> Result<Self, Error> {
        let paths = files(path, force)?;
        let mut temporaries = Vec::new();
        let mut open = |at: usize| -> Result<Target, FileError> {
            let (file, temporary) = create_beside(&paths[at])?;
            temporaries.push((temporary, paths[at].clone()));
            Ok(BufWriter::new(file))
        };
        let target = open(0)?;
        let format: io::Result<Box<dyn Format>> = match extension(path) {
            "npy" => {
                npy::write_csv(open(1)?, rows).naming("write", &paths[1])?;
                npy::begin(target, rows.ids.len(), dim).map(|format| Box::new(format) as Box<dyn Format>)
            }
            "parquet" => parquet::begin(target, rows, dim, facts).map(|format| Box::new(format) as Box<dyn Format>),
            _ => safetensors::begin(target, rows, dim, facts).map(|format| Box::new(format) as Box<dyn Format>),
        };
        let format = format.naming("write", &paths[0])?;
        Ok(Self { format, files: temporaries })
    }

    /// Appends embeddings `[B, dim]`.
    ///
    /// # Errors
    /// A file that cannot be written to.
    pub fn push(&mut self, embeddings: &Tensor) -> Result<(), Error> {
        let values = numbers(embeddings).map_err(|error| Error::Failed {
            kind: ErrorKind::Device,
            message: without_backtrace(&format!("embeddings: {error}")),
        })?;
        Ok(self.format.write(&values).naming("write", &self.files[0].1)?)
    }

    /// Puts the finished file under its name, and returns the files written.
    ///
    /// # Errors
    /// A file that cannot be written to.
    pub fn finish(self) -> Result<Vec<PathBuf>, Error> {
        let Self { format, files } = self;
        format.finish().and_then(|mut target| target.flush()).naming("write", &files[0].1)?;
        let paths = files.iter().map(|(_, path)| path.clone()).collect();
        for (temporary, path) in files.into_iter().rev() {
            put_in_place(&Disk, temporary, &path)?;
        }
        Ok(paths)
    }
}

fn numbers(embeddings: &Tensor) -> Result<Vec<f32>, TchError> {
    let embeddings = embeddings.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    Vec::try_from(embeddings.f_flatten(0, -1)?)
}

/// The files that embeddings under this name are written to.
///
/// # Errors
/// An unknown format, and a file that exists (unless `force`).
pub fn files(path: &Path, force: bool) -> Result<Vec<PathBuf>, Error> {
    let paths = match extension(path) {
        "npy" => vec![path.to_owned(), path.with_extension("csv")],
        "parquet" | "safetensors" => vec![path.to_owned()],
        _ => {
            return Err(Error::configuration(format!(
                "{}: expected a name that ends in .npy, .parquet or .safetensors",
                path.display()
            )));
        }
    };
    match paths.iter().find(|path| !force && path.exists()) {
        Some(existing) => Err(Error::configuration(format!(
            "{} exists; replace it with --force, or choose another name",
            existing.display()
        ))),
        None => Ok(paths),
    }
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// Floats as bytes, little-endian.
fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};

    fn rows(targets: Targets) -> Rows {
        Rows {
            ids: ["a,1", "b", "c"].map(String::from).to_vec(),
            splits: vec![Split::Train, Split::Train, Split::Test],
            targets,
            groups: Some(["p", "p", "q"].map(String::from).to_vec()),
            classes: ["cat", "dog"].map(String::from).to_vec(),
        }
    }

    fn write(path: &Path, rows: &Rows) -> Vec<PathBuf> {
        let mut file = Embeddings::create(path, false, rows, 2, &[("encoder", "resnet8")]).unwrap();
        file.push(&Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]).view([2, 2])).unwrap();
        file.push(&Tensor::from_slice(&[5.0_f32, 6.0]).view([1, 2])).unwrap();
        assert!(!path.exists(), "the file appears when it is whole");
        file.finish().unwrap()
    }

    #[test]
    fn a_parquet_row_holds_all_that_is_known_of_a_sample() {
        let dir = tempfile::tempdir().unwrap();
        for (name, targets, label) in [
            ("classes", Targets::Classes(vec![0, 1, 0]), "label: 1, class: \"dog\""),
            ("flags", Targets::Multilabel(vec![1, 0, 1, 1, 0, 0]), "labels: [1, 1]"),
        ] {
            let path = dir.path().join(name).with_extension("parquet");
            write(&path, &rows(targets));
            let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
            let facts = reader.metadata().file_metadata().key_value_metadata().unwrap();
            assert!(facts.iter().any(|fact| fact.key == "encoder" && fact.value.as_deref() == Some("resnet8")));
            let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
            assert_eq!(rows.len(), 3);
            for part in ["id: \"b\"", "split: \"train\"", label, "group: \"p\"", "3.0", "4.0"] {
                assert!(rows[1].contains(part), "{part} in {}", rows[1]);
            }
        }
    }

    #[test]
    fn multilabel_flags_follow_the_matrix_in_safetensors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.safetensors");
        write(&path, &rows(Targets::Multilabel(vec![1, 0, 1, 1, 0, 0])));
        let bytes = std::fs::read(&path).unwrap();
        let tensors = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("labels").unwrap().data(), [1, 0, 1, 1, 0, 0]);
        let expected: Vec<u8> = (1..=6).flat_map(|value| (value as f32).to_le_bytes()).collect();
        assert_eq!(tensors.tensor("embeddings").unwrap().data(), expected);
        let (_, header) = ::safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        assert_eq!(metadata["ids"], r#"["a,1","b","c"]"#);
        assert_eq!(metadata["groups"], r#"["p","p","q"]"#);
    }

    #[test]
    fn the_matrix_of_npy_has_its_rows_in_a_csv_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.npy");
        let files = write(&path, &rows(Targets::Classes(vec![0, 1, 0])));
        assert_eq!(files, [path.clone(), dir.path().join("e.csv")]);
        let read = Tensor::read_npy(&path).unwrap();
        assert_eq!(read, Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).view([3, 2]));
        let csv = std::fs::read_to_string(&files[1]).unwrap();
        assert_eq!(csv, "id,split,label,class,group\n\"a,1\",train,0,cat,p\nb,train,1,dog,p\nc,test,0,cat,q\n");
        write(&dir.path().join("f.npy"), &rows(Targets::Multilabel(vec![1, 0, 1, 1, 0, 0])));
        let csv = std::fs::read_to_string(dir.path().join("f.csv")).unwrap();
        assert_eq!(csv.lines().next(), Some("id,split,label:cat,label:dog,group"));
    }

    #[test]
    fn a_file_is_not_written_over_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.npy");
        // The file beside it counts too.
        std::fs::write(dir.path().join("e.csv"), "mine").unwrap();
        let error = Embeddings::create(&path, false, &rows(Targets::None), 2, &[]).err().unwrap();
        assert!(error.to_string().contains("e.csv") && error.to_string().contains("--force"), "{error}");
        let error = Embeddings::create(Path::new("e.txt"), false, &rows(Targets::None), 2, &[]).err().unwrap();
        assert!(error.to_string().starts_with("e.txt: expected a name that ends in"), "{error}");
    }
}
