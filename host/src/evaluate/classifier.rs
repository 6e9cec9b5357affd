//! A classifier that an evaluation has learned, kept for new images.

use super::evaluation::EVALUATIONS_DIR;
use super::protocol::Protocol;
use crate::error::Error;
use crate::model;
use crate::regular_file;
use crate::run::tensors::{from_safetensors, to_safetensors};
use crate::storage::{Disk, Naming, write_atomically};
use selfsame_plugin_api::Task;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// How the names of such files end.
pub const CLASSIFIER_SUFFIX: &str = ".classifier.safetensors";
const WEIGHT: &str = "classifier.weight";
const BIAS: &str = "classifier.bias";
/// What stands before the encoder's names.
const ENCODER: &str = "encoder.";
/// The entry of the file's metadata that says what the classifier is.
const ABOUT: &str = "classifier";

/// A linear classifier of embeddings, and the encoder where that has learned too.
#[derive(Debug)]
pub struct Classifier {
    /// `[classes, D]`.
    weight: Tensor,
    /// `[classes]`.
    bias: Tensor,
    /// The encoder's tensors after fine-tuning, by name; none where it was frozen.
    encoder: BTreeMap<String, Tensor>,
}

/// What a classifier predicts, and from which embeddings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutClassifier {
    /// How it learned.
    pub protocol: Protocol,
    /// The data set that it learned from.
    pub dataset: String,
    /// What the labels mean.
    pub task: Task,
    /// Names of the classes, in the order of its rows.
    pub classes: Vec<String>,
    /// Name of the encoder.
    pub encoder: String,
    /// SHA-256 of the encoder's weights that it was learned on.
    pub weights_sha256: String,
}

impl Classifier {
    /// On embeddings as they are: weight `[classes, D]` and bias `[classes]`, of a frozen encoder.
    pub fn of_frozen((weight, bias): (Tensor, Tensor)) -> Self {
        Self { weight, bias, encoder: BTreeMap::new() }
    }

    /// As [`of_frozen`](Self::of_frozen), of an encoder whose tensors are these now; they are copied.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn of_tuned(classifier: (Tensor, Tensor), encoder: &[(String, Tensor)]) -> Result<Self, Error> {
        let copies = encoder.iter().map(|(name, tensor)| Ok((name.clone(), tensor.f_detach_copy()?)));
        Ok(Self { encoder: copies.collect::<Result<_, tch::TchError>>()?, ..Self::of_frozen(classifier) })
    }

    /// The encoder's own tensors, where it was fine-tuned.
    pub fn encoder(&self) -> Option<&BTreeMap<String, Tensor>> {
        (!self.encoder.is_empty()).then_some(&self.encoder)
    }

    /// Logits `[B, classes]` of embeddings `[B, D]`, on their device.
    ///
    /// # Errors
    /// Embeddings of another length; anything libtorch refuses.
    pub fn logits(&self, embeddings: &Tensor) -> model::Result<Tensor> {
        let here = |tensor: &Tensor| tensor.f_to_device(embeddings.device());
        Ok(embeddings.f_to_kind(Kind::Float)?.f_linear(&here(&self.weight)?, Some(&here(&self.bias)?))?)
    }

    /// Writes the classifier in one step: a safetensors file with `classifier.weight`, `classifier.bias`, and after
    /// fine-tuning the encoder's tensors behind `encoder.`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path, about: &AboutClassifier) -> Result<(), Error> {
        let mut tensors: Vec<_> =
            [(WEIGHT, &self.weight), (BIAS, &self.bias)].map(|(name, t)| (name.to_owned(), t.shallow_clone())).into();
        tensors.extend(self.encoder.iter().map(|(name, t)| (format!("{ENCODER}{name}"), t.shallow_clone())));
        let about = serde_json::to_string(about).map_err(|error| Error::data(error.to_string()))?;
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned()), (ABOUT.to_owned(), about)]);
        let bytes = to_safetensors(&tensors, &metadata)
            .map_err(|error| Error::data(format!("cannot write {}: {error}", path.display())))?;
        Ok(write_atomically(&Disk, path, &bytes)?)
    }

    /// Reads a file that [`write`](Self::write) has written.
    ///
    /// # Errors
    /// A file that is none.
    pub fn read(path: &Path) -> Result<(Self, AboutClassifier), Error> {
        let bytes = regular_file::read(path).naming("read", path)?;
        let none = |why: String| {
            let what = "expected a file that `selfsame evaluate RUN --protocol linear --keep` has written";
            Error::data(format!("{}: {why}; {what}", path.display()))
        };
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| none(error.to_string()))?;
        let about = header.metadata().as_ref().and_then(|metadata| metadata.get(ABOUT));
        let about = about.ok_or_else(|| none("it does not say what it classifies".into()))?;
        let about: AboutClassifier = serde_json::from_str(about).map_err(|error| none(error.to_string()))?;
        let mut tensors = from_safetensors(&bytes).map_err(|error| none(error.to_string()))?;
        let mut take = |name: &str| tensors.remove(name).ok_or_else(|| none(format!("it lacks `{name}`")));
        let (weight, bias) = (take(WEIGHT)?, take(BIAS)?);
        let classes = about.classes.len() as i64;
        if weight.size().first() != Some(&classes) || weight.dim() != 2 || bias.size() != [classes] {
            return Err(none(format!("its weights {:?} are not those of {classes} classes", weight.size())));
        }
        let encoder = tensors.into_iter().filter_map(|(name, t)| Some((name.strip_prefix(ENCODER)?.to_owned(), t)));
        Ok((Self { weight, bias, encoder: encoder.collect() }, about))
    }
}

/// The classifiers that evaluations of a run have kept, sorted by name.
///
/// # Errors
/// A folder that cannot be listed.
pub fn kept(run: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = run.join(EVALUATIONS_DIR);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).naming("list", &folder)?;
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(CLASSIFIER_SUFFIX) && !name.starts_with('.')
    };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_one).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> AboutClassifier {
        AboutClassifier {
            protocol: Protocol::Linear,
            dataset: "films".into(),
            task: Task::Binary,
            classes: vec!["normal".into(), "pneumonia".into()],
            encoder: "resnet8".into(),
            weights_sha256: "ab".repeat(32),
        }
    }

    fn classifier() -> (Tensor, Tensor) {
        (Tensor::from_slice2(&[[1.0f32, 2.0, 3.0], [0.5, 0.0, -1.0]]), Tensor::from_slice(&[0.25f32, 1.0]))
    }

    #[test]
    fn what_was_kept_computes_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("linear{CLASSIFIER_SUFFIX}"));
        let tuned = [("conv1.weight".to_owned(), Tensor::from_slice(&[7.0f32]))];
        Classifier::of_tuned(classifier(), &tuned).unwrap().write(&path, &about()).unwrap();
        let (read, said) = Classifier::read(&path).unwrap();
        assert_eq!(said, about());
        assert_eq!(read.encoder().unwrap()["conv1.weight"], tuned[0].1);
        let logits = read.logits(&Tensor::from_slice2(&[[1.0f32, 1.0, 1.0]])).unwrap();
        // 1 + 2 + 3 + 0.25 and 0.5 − 1 + 1.
        assert_eq!(Vec::<f32>::try_from(logits.flatten(0, -1)).unwrap(), [6.25, 0.5]);
        Classifier::of_frozen(classifier()).write(&path, &about()).unwrap();
        assert!(Classifier::read(&path).unwrap().0.encoder().is_none());
    }

    #[test]
    fn another_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let tensors = [("w".to_owned(), Tensor::from(1.0f32))];
        std::fs::write(&path, to_safetensors(&tensors, &BTreeMap::new()).unwrap()).unwrap();
        let error = Classifier::read(&path).unwrap_err().to_string();
        assert!(error.contains("w.safetensors: it does not say") && error.contains("--keep"), "{error}");
        let wrong = AboutClassifier { classes: vec!["one".into()], ..about() };
        Classifier::of_frozen(classifier()).write(&path, &wrong).unwrap();
        let error = Classifier::read(&path).unwrap_err().to_string();
        assert!(error.contains("[2, 3] are not those of 1 classes"), "{error}");
    }
}
