//! A run's folder, and who may write to it.

use super::checkpoint::CheckpointWriter;
use super::files::{CONFIG_FILE, DAMAGED_FILE, ENCODER_FILE, METRICS_FILE, RUN_FILE};
use super::lock::RunLock;
use super::log;
use super::record::{RunRecord, RunStatus, alien};
use super::traces::holds_run;
use crate::error::Error;
use crate::home;
use crate::storage::{Disk, Naming, remove_temporaries, write_atomically};
use jiff::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};

/// A run's folder that this process alone may write to, or another one that it computes with.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// None: another process has it, and nothing is written here.
    lock: Option<RunLock>,
}

impl RunFolder {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// Without `resume`, a folder with a run in it is refused; with it, a run is continued where there is one.
    pub fn open(path: &Path, resume: bool) -> Result<Self, Error> {
        let shown = home::absolute(path);
        fs::create_dir_all(path).naming("create", &shown)?;
        let lock = RunLock::acquire(path)?;
        if !resume && holds_run(path) {
            return Err(Error::configuration(format!(
                "{} already holds a run; continue it with --resume, or name another folder with --output-dir",
                shown.display()
            )));
        }
        for name in [RUN_FILE, CONFIG_FILE, METRICS_FILE, DAMAGED_FILE, ENCODER_FILE] {
            remove_temporaries(&path.join(name))?;
        }
        Ok(Self { path: path.to_owned(), lock: Some(lock) })
    }

    /// The folder of a run that another process writes.
    pub fn of_another_process(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None }
    }

    /// Whether this process writes.
    pub(super) fn is_ours(&self) -> bool {
        self.lock.is_some()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The writer of this run's checkpoints; none: another process writes them.
    pub fn checkpoints(&self) -> Result<Option<CheckpointWriter>, Error> {
        self.lock.as_ref().map(|lock| CheckpointWriter::open(&self.path, lock)).transpose()
    }

    /// Appends what was said so far to the run's log, and from now on every message. A log that cannot be written costs no run.
    pub fn begin_log(&self) {
        let begun = if self.is_ours() { log::begin(&self.path) } else { Ok(()) };
        if let Err(error) = begun {
            tracing::warn!("{} cannot be written: {error}", self.path.join(log::LOG_FILE).display());
        }
    }

    /// Writes the resolved configuration, replacing an earlier one in one step.
    pub fn write_config(&self, yaml: &str) -> Result<(), Error> {
        if !self.is_ours() {
            return Ok(());
        }
        Ok(write_atomically(&Disk, &self.path.join(CONFIG_FILE), yaml.as_bytes())?)
    }

    /// Writes, when it is called, that the run has failed; none: another process writes.
    pub fn note_failure(&self, record: &RunRecord) -> Option<Box<dyn FnOnce() + Send>> {
        let (path, mut record) = (self.is_ours().then(|| self.path.join(RUN_FILE))?, record.clone());
        Some(Box::new(move || {
            record.status = RunStatus::Failed;
            record.finished = Some(Timestamp::now());
            if let Ok(json) = serde_json::to_string_pretty(&record)
                && let Err(error) = write_atomically(&Disk, &path, format!("{json}\n").as_bytes())
            {
                tracing::warn!("{error}");
            }
        }))
    }

    /// Writes the record, replacing an earlier one in one step.
    pub fn write_record(&self, record: &RunRecord) -> Result<(), Error> {
        if !self.is_ours() {
            return Ok(());
        }
        let path = self.path.join(RUN_FILE);
        let mut json = serde_json::to_string_pretty(record).map_err(|error| alien(&path, &error))?;
        json.push('\n');
        Ok(write_atomically(&Disk, &path, json.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example_record;
    use super::*;
    use selfsame_plugin_api::ErrorKind;

    /// Why a new run is refused in this folder: by the user's mistake.
    fn refused(path: &Path) -> String {
        match RunFolder::open(path, false) {
            Err(Error::Failed { kind: ErrorKind::Configuration, message }) => message,
            other => panic!("{other:?}"),
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
        assert!(refused(&path).contains("in use by process"));
        drop(folder);
        let error = refused(&path);
        for part in [path.to_str().unwrap(), "--resume", "--output-dir"] {
            assert!(error.contains(part), "{error}");
        }
        RunFolder::open(&path, true).unwrap();
        fs::remove_file(path.join(RUN_FILE)).unwrap();
        fs::create_dir_all(path.join("checkpoints/step-00000001")).unwrap();
        assert!(refused(&path).contains("already holds a run"));
    }
}
