//! `run.json`: what ran, on what, and how it ended.

use super::files::RUN_FILE;
use super::without_record;
use crate::config::RecordedPath;
use crate::data::Size;
use crate::error::Error;
use crate::plugin;
use crate::probe::Warnings;
use crate::regular_file;
use crate::storage::Naming;
use jiff::Timestamp;
use selfsame_plugin_api::Normalization;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

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
    /// The command lines of the run's starts, the first one first; each with the program first.
    #[serde(alias = "command_line", deserialize_with = "one_or_several")]
    pub commands: Vec<Vec<String>>,
    /// Its paths, as they were written and from the root.
    #[serde(default)]
    pub paths: Vec<RecordedPath>,
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
    /// The size of its images before `preprocess`; none in records of earlier versions.
    #[serde(default)]
    pub image_size: Option<Size>,
    /// How its images are kept before the views are made of them; none in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_images: Option<StoredImages>,
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

/// How the images of a run's first data set are kept once they are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImages {
    /// Channels, before grey ones are repeated.
    pub channels: usize,
    /// Bits of a value, 8 or 16.
    pub bit_depth: u8,
    /// Length that longer shorter sides are reduced to, in pixels; none: all pixels are kept.
    pub side: Option<usize>,
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
    /// The plugin's name; empty in records of earlier versions, as are the other fields.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Licence and citation of each data set and encoder of it that the run used.
    #[serde(default)]
    pub used: Vec<plugin::UsedCard>,
}

impl From<plugin::PluginFile> for PluginFile {
    fn from(file: plugin::PluginFile) -> Self {
        let plugin::PluginFile { path, sha256, name, version, used } = file;
        Self { path: path.display().to_string(), sha256, name, version, used }
    }
}

impl PluginFile {
    fn is_same_plugin(&self, other: &Self) -> bool {
        if self.name.is_empty() { self.path == other.path } else { self.name == other.name }
    }

    /// Version and the beginning of the digest.
    fn edition(&self) -> String {
        format!("{} (SHA-256 {}…)", self.version, self.sha256.get(..12).unwrap_or(&self.sha256))
    }
}

/// The plugins that are other files now than they were in a run, as a sentence each.
pub fn changed_plugins(before: &[PluginFile], now: &[PluginFile]) -> Vec<String> {
    let changed = |before: &PluginFile| {
        let now = now.iter().find(|now| before.is_same_plugin(now)).filter(|now| now.sha256 != before.sha256)?;
        Some(format!(
            "plugin {} is another file than when the run was started: it was {} and is {}; results may differ",
            now.name,
            before.edition().trim_start(),
            now.edition()
        ))
    };
    before.iter().filter_map(changed).collect()
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
    /// Channels and size of the images that the encoder sees.
    pub fn encoder_input(&self) -> (usize, Size) {
        let [channels, height, width] = self.input_size;
        (channels, Size { height, width })
    }

    /// Reads the record in a run's folder.
    ///
    /// # Errors
    /// A folder without one, and a record that cannot be read.
    pub fn read(run_dir: &Path) -> Result<Self, Error> {
        Self::find(run_dir)?.ok_or_else(|| match without_record::way_on(run_dir) {
            Some(way_on) => Error::data(format!("{} has no {RUN_FILE}. {way_on}", run_dir.display())),
            None => Error::data(format!(
                "{} holds no run; name the folder that `selfsame train --output-dir` wrote",
                run_dir.display()
            )),
        })
    }

    /// Reads the record in a folder, where there is one.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn find(run_dir: &Path) -> Result<Option<Self>, Error> {
        let path = run_dir.join(RUN_FILE);
        let text = match regular_file::read_text(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.naming("read", &path)?,
        };
        serde_json::from_str(&text).map(Some).map_err(|error| match without_record::way_on(run_dir) {
            Some(way_on) => Error::data(format!("{} is broken: {error}. {way_on}", path.display())),
            None => alien(&path, &error),
        })
    }
}

/// A file of a run's folder that is not as this program writes it.
pub(super) fn alien(path: &Path, error: &serde_json::Error) -> Error {
    Error::data(format!("{}: {error}; is this the folder of a selfsame run?", path.display()))
}

/// Reads command lines; earlier versions wrote the latest one alone.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Commands {
        Several(Vec<Vec<String>>),
        One(Vec<String>),
    }
    Ok(match Commands::deserialize(deserializer)? {
        Commands::Several(commands) => commands,
        Commands::One(command) => vec![command],
    })
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
            commands: vec![["selfsame", "train", "--config", "configs/<cifar>.yaml"].map(String::from).into()],
            paths: Vec::new(),
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
            image_size: Some(Size::square(32)),
            stored_images: Some(StoredImages { channels: 3, bit_depth: 8, side: Some(64) }),
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
            plugins: vec![PluginFile {
                path: "plugins/libcifar.so".into(),
                sha256: "ab".repeat(32),
                name: "selfsame-plugin-cifar".into(),
                version: "0.1.0".into(),
                used: vec![plugin::UsedCard {
                    what: "data set".into(),
                    name: "CIFAR10".into(),
                    licence: "none stated".into(),
                    citation: "Krizhevsky 2009".into(),
                }],
            }],
            init: Some(WeightsFile { path: "resnet8.safetensors".into(), sha256: "cd".repeat(32) }),
            encoder_sha256: None,
            epochs_done: 20,
            epochs: 20,
            warnings: Warnings::default(),
            metrics: BTreeMap::from([("knn/val/accuracy".into(), 0.75), ("ssl/train/loss".into(), 4.25)]),
        }
    }

    #[test]
    fn a_plugin_of_another_digest_is_told_of() {
        let before = example_record().plugins;
        assert_eq!(changed_plugins(&before, &before), Vec::<String>::new());
        let mut now = before.clone();
        (now[0].sha256, now[0].version, now[0].path) = ("cd".repeat(32), "0.2.0".into(), "elsewhere.so".into());
        let expected = "it was 0.1.0 (SHA-256 abababababab…) and is 0.2.0 (SHA-256 cdcdcdcdcdcd…)";
        let told = changed_plugins(&before, &now);
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        // A record of an earlier version knows path and digest.
        let older = r#"[{"path": "elsewhere.so", "sha256": "ef"}]"#;
        let older: Vec<PluginFile> = serde_json::from_str(older).unwrap();
        let told = changed_plugins(&older, &now);
        assert!(told[0].contains("plugin selfsame-plugin-cifar") && told[0].contains("SHA-256 ef…"), "{told:?}");
    }

    #[test]
    fn a_record_with_one_command_is_read() {
        let mut value = serde_json::to_value(example_record()).unwrap();
        let commands = value.as_object_mut().unwrap().remove("commands").unwrap();
        value["command_line"] = commands[0].clone();
        assert_eq!(serde_json::from_value::<RunRecord>(value).unwrap(), example_record());
    }

    #[test]
    fn an_alien_record_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(RUN_FILE), "{}").unwrap();
        let error = RunRecord::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("run.json") && error.contains("status"), "{error}");
    }
}
