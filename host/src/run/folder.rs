//! A run's folder: who may write to it, the resolved configuration, and the record of what ran.

use super::checkpoint::{CheckpointError, CheckpointWriter};
use super::lock::{LockError, RunLock};
use super::traces::holds_run;
use crate::data::Damaged;
use crate::probe::Warnings;
use crate::regular_file;
use crate::storage::{Disk, FileError, Naming, remove_temporaries, write_atomically};
use jiff::Timestamp;
use selfsame_plugin_api::Normalization;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The resolved configuration's file in a run's folder.
pub const CONFIG_FILE: &str = "config.yaml";
/// The record's file in a run's folder.
pub const RUN_FILE: &str = "run.json";
/// The list of samples that were left out, by split; in a run's folder where there are any.
pub const DAMAGED_FILE: &str = "damaged.json";

/// Everything measured, in a run's folder.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// The trained encoder's file in a run's folder.
pub const ENCODER_FILE: &str = "encoder.safetensors";

/// Why a run's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// There is a run in it already.
    #[error(
        "{} already holds a run; continue it with --resume, or name another folder with --output-dir",
        .0.display()
    )]
    Occupied(PathBuf),
    /// Another process writes to it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Checkpoints cannot be written to it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A continued run would learn from other samples.
    #[error(
        "samples that the run was started with cannot be read any more: {what} (those that it left out from the start are \
         listed in {}); restore the data set's files, or start another run with --output-dir",
        path.display()
    )]
    OtherSamples {
        /// The run's list of samples that are left out.
        path: PathBuf,
        /// The first of them.
        what: String,
    },
    /// There is no run in it.
    #[error("{} holds no run; name the folder that `selfsame train --output-dir` wrote", .0.display())]
    NoRun(PathBuf),
    /// The record is not one of ours.
    #[error("{}: {message}; is this the folder of a selfsame run?", path.display())]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
}

/// A run's folder that this process alone may write to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: RunLock,
}

impl RunFolder {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// Without `resume`, a folder with a run in it is refused; with it, a run is continued where there is one.
    pub fn open(path: &Path, resume: bool) -> Result<Self, RunFolderError> {
        fs::create_dir_all(path).naming("create", path)?;
        let lock = RunLock::acquire(path)?;
        if !resume && holds_run(path) {
            return Err(RunFolderError::Occupied(path.to_owned()));
        }
        for name in [RUN_FILE, CONFIG_FILE, METRICS_FILE, DAMAGED_FILE, ENCODER_FILE] {
            remove_temporaries(&path.join(name))?;
        }
        Ok(Self { path: path.to_owned(), lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The writer of this run's checkpoints.
    pub fn checkpoints(&self) -> Result<CheckpointWriter, RunFolderError> {
        Ok(CheckpointWriter::open(&self.path, &self.lock)?)
    }

    /// Writes the resolved configuration, replacing an earlier one in one step.
    pub fn write_config(&self, yaml: &str) -> Result<(), RunFolderError> {
        Ok(write_atomically(&Disk, &self.path.join(CONFIG_FILE), yaml.as_bytes())?)
    }

    /// Writes the record, replacing an earlier one in one step.
    pub fn write_record(&self, record: &RunRecord) -> Result<(), RunFolderError> {
        let path = self.path.join(RUN_FILE);
        let mut json = serde_json::to_string_pretty(record)
            .map_err(|error| RunFolderError::Record { path: path.clone(), message: error.to_string() })?;
        json.push('\n');
        Ok(write_atomically(&Disk, &path, json.as_bytes())?)
    }
}

/// Samples that a run leaves out because they cannot be read, by part of the data.
pub type LeftOut = BTreeMap<String, Vec<Damaged>>;

impl RunFolder {
    /// The samples that the run has left out so far.
    ///
    /// # Errors
    /// A list that cannot be read.
    pub fn left_out(&self) -> Result<LeftOut, RunFolderError> {
        let path = self.path.join(DAMAGED_FILE);
        match regular_file::read(&path) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|error| RunFolderError::Record { path, message: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(LeftOut::new()),
            Err(error) => Err(error).naming("read", &path).map_err(RunFolderError::File),
        }
    }

    /// Refuses to go on without samples that the run has learnt from: `now` leaves out more than `before`.
    ///
    /// # Errors
    /// Names the first of these samples.
    pub fn ensure_same_left_out(&self, before: &LeftOut, now: &LeftOut) -> Result<(), RunFolderError> {
        for (part, samples) in now {
            let known = before.get(part).map_or(&[][..], |samples| samples);
            let lost = samples.iter().find(|sample| known.iter().all(|known| known.index != sample.index));
            if let Some(lost) = lost {
                let what = format!("{part}: {}", lost.describe());
                return Err(RunFolderError::OtherSamples { path: self.path.join(DAMAGED_FILE), what });
            }
        }
        Ok(())
    }

    /// Lists the samples that the run leaves out.
    ///
    /// # Errors
    /// A list that cannot be written.
    pub fn write_left_out(&self, left_out: &LeftOut) -> Result<(), RunFolderError> {
        let path = self.path.join(DAMAGED_FILE);
        if left_out.is_empty() {
            // An earlier start in this folder may have got no further than its list.
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).naming("remove", &path).map_err(RunFolderError::File)
                }
                _ => Ok(()),
            };
        }
        let json = serde_json::to_vec_pretty(left_out)
            .map_err(|error| RunFolderError::Record { path: path.clone(), message: error.to_string() })?;
        Ok(write_atomically(&Disk, &path, &json)?)
    }
}

/// What ran, on what, and how it ended; the contents of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// How far it came.
    pub status: RunStatus,
    /// Version of this program.
    pub selfsame_version: String,
    /// Version of libtorch.
    pub libtorch_version: String,
    /// Version of the tch crate.
    pub tch_version: String,
    /// The command line, program first.
    pub command_line: Vec<String>,
    /// When the run first started.
    pub started: Timestamp,
    /// When it ended, unless it is running or was killed.
    pub finished: Option<Timestamp>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Threads that libtorch computes with.
    pub threads: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Name of the method, as configured.
    pub method: String,
    /// Name of the encoder, as configured.
    pub encoder: String,
    /// Which of the run's encoders is evaluated and exported, in words.
    #[serde(default)]
    pub embedding: String,
    /// Name of the encoder's data set, or of several, joined by ` + `.
    pub dataset: String,
    /// Channels, height and width of the images that the encoder sees.
    pub input_size: [usize; 3],
    /// Height and width of its images before `preprocess`; none in records of earlier versions.
    #[serde(default)]
    pub image_size: Option<(usize, usize)>,
    /// Statistics that `augmentation.normalize: dataset` stands for in this run; none: pixels stay in 0–1.
    #[serde(default)]
    pub normalization: Option<Normalization>,
    /// Samples in each split of the encoder's data, by its name.
    pub split_sizes: BTreeMap<String, usize>,
    /// Every data set of the run, the encoder's first.
    #[serde(default)]
    pub data_sets: Vec<DataSetRecord>,
    /// The plugin files that were opened.
    pub plugins: Vec<PluginFile>,
    /// The weights that the encoder started from; none: random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<WeightsFile>,
    /// SHA-256 of `encoder.safetensors`, once the run is complete; 64 lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder_sha256: Option<String>,
    /// Epochs completed.
    pub epochs_done: usize,
    /// Epochs configured.
    pub epochs: usize,
    /// What has to be known of the scores.
    #[serde(default, skip_serializing_if = "Warnings::is_empty")]
    pub warnings: Warnings,
    /// The last value of each metric, by its flat name; before the first step, under `untrained/`. Not-a-number and
    /// infinities are written as null and read as not-a-number.
    #[serde(deserialize_with = "null_is_nan")]
    pub metrics: BTreeMap<String, f64>,
}

/// A data set of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSetRecord {
    /// Its name, as configured.
    pub name: String,
    /// Its folder, where one was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// How many of its images an epoch holds for the encoder, before the remainder that fills no batch; 0 for one that only the head and the probes use.
    pub images_per_epoch: usize,
    /// Whether the head and the probes learn from its labels and are scored on it.
    pub probed: bool,
    /// Samples in each split, by its name.
    pub split_sizes: BTreeMap<String, usize>,
    /// SHA-256 of the training split's ids, labels and groups and of its cut; none in records of earlier versions.
    #[serde(default)]
    pub samples_sha256: Option<String>,
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Under way, or killed without a chance to say so.
    Running,
    /// All epochs done.
    Completed,
    /// Stopped by a signal, state saved.
    Interrupted,
    /// Ended by an error.
    Failed,
}

/// A plugin file that a run opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFile {
    /// Where it was.
    pub path: String,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A file of weights that a run started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsFile {
    /// Where it was.
    pub path: String,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl RunRecord {
    /// Reads the record in a run's folder.
    pub fn read(run_dir: &Path) -> Result<Self, RunFolderError> {
        let path = run_dir.join(RUN_FILE);
        let text = match regular_file::read_text(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RunFolderError::NoRun(run_dir.to_owned()));
            }
            read => read.naming("read", &path)?,
        };
        serde_json::from_str(&text).map_err(|error| RunFolderError::Record { path, message: error.to_string() })
    }
}

/// Reads metrics whose null stands for a value that JSON cannot hold.
pub(crate) fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let values = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record with every field filled.
    pub(crate) fn example_record() -> RunRecord {
        RunRecord {
            status: RunStatus::Completed,
            selfsame_version: "0.1.0".into(),
            libtorch_version: "2.11.0".into(),
            tch_version: "0.24.0".into(),
            command_line: ["selfsame", "train", "--config", "configs/<cifar>.yaml"].map(String::from).into(),
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
            finished: Some("2026-01-02T04:05:06Z".parse().unwrap()),
            device: "cpu".into(),
            threads: 2,
            seed: 1,
            method: "simclr".into(),
            encoder: "resnet8".into(),
            embedding: "the trained encoder".into(),
            dataset: "CIFAR10".into(),
            input_size: [3, 32, 32],
            image_size: Some((32, 32)),
            normalization: None,
            split_sizes: BTreeMap::from([("train".into(), 45_000), ("val".into(), 5_000)]),
            data_sets: vec![DataSetRecord {
                folder: None,
                name: "CIFAR10".into(),
                images_per_epoch: 45_000,
                probed: true,
                split_sizes: BTreeMap::from([("train".into(), 45_000), ("val".into(), 5_000)]),
                samples_sha256: None,
            }],
            plugins: vec![PluginFile { path: "plugins/libcifar.so".into(), sha256: "ab".repeat(32) }],
            init: Some(WeightsFile { path: "resnet8.safetensors".into(), sha256: "cd".repeat(32) }),
            encoder_sha256: None,
            epochs_done: 20,
            epochs: 20,
            warnings: Warnings::default(),
            metrics: BTreeMap::from([("knn/val/accuracy".into(), 0.75), ("ssl/train/loss".into(), 4.25)]),
        }
    }

    #[test]
    fn a_record_survives_and_a_metric_may_be_nan() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(dir.path(), false).unwrap();
        let mut record = example_record();
        folder.write_record(&record).unwrap();
        assert_eq!(RunRecord::read(dir.path()).unwrap(), record);
        record.metrics.insert("ssl/val/loss".into(), f64::INFINITY);
        folder.write_record(&record).unwrap();
        assert!(RunRecord::read(dir.path()).unwrap().metrics["ssl/val/loss"].is_nan());
    }

    #[test]
    fn a_folder_with_a_run_is_refused_unless_resuming() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs/a");
        RunFolder::open(&path, true).unwrap(); // nothing there to continue: a new run
        let folder = RunFolder::open(&path, false).unwrap();
        folder.write_record(&example_record()).unwrap();
        assert!(matches!(RunFolder::open(&path, false), Err(RunFolderError::Lock(_))));
        drop(folder);
        let error = RunFolder::open(&path, false).unwrap_err().to_string();
        for part in [path.to_str().unwrap(), "--resume", "--output-dir"] {
            assert!(error.contains(part), "{error}");
        }
        RunFolder::open(&path, true).unwrap();
        fs::remove_file(path.join(RUN_FILE)).unwrap();
        fs::create_dir_all(path.join("checkpoints/step-00000001")).unwrap();
        assert!(matches!(RunFolder::open(&path, false), Err(RunFolderError::Occupied(_))));
    }

    #[test]
    fn an_alien_record_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(RUN_FILE), "{}").unwrap();
        let error = RunRecord::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("run.json") && error.contains("status"), "{error}");
    }
}
