//! `metrics.jsonl`: everything measured, one JSON object a line, in the order it happened.

use super::record::null_is_nan;
use crate::regular_file;
use crate::storage::{Disk, FileError, Naming, write_atomically};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

pub use super::files::METRICS_FILE;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What happened: `untrained`, `step`, `epoch` or `trained`.
    pub event: String,
    /// Global steps done by then.
    pub step: u64,
    /// Epochs done by then.
    pub epoch: u64,
    /// When.
    pub time: Timestamp,
    /// Values by flat name, such as `ssl/train/loss`. JSON has no not-a-number and no infinity: they are written as
    /// null, which plotting tools take for a gap, and read as not-a-number.
    #[serde(deserialize_with = "null_is_nan")]
    pub metrics: BTreeMap<String, f64>,
}

/// Appends to a run's metrics.
#[derive(Debug)]
pub struct MetricsLog {
    file: File,
    path: PathBuf,
}

impl MetricsLog {
    /// Starts an empty log, or, given the checkpoint's step that a run resumes from, continues the one that is there.
    ///
    /// Continuing drops what was measured after that step, and any torn line: the run will measure it again. So a
    /// step's metrics are written before its checkpoint.
    pub fn open(run_dir: &Path, resume_from: Option<u64>) -> Result<Self, FileError> {
        let path = run_dir.join(METRICS_FILE);
        let mut kept = String::new();
        if let Some(step) = resume_from {
            for (line, record) in parse(&path, &read_text(&path)?) {
                if record.step <= step {
                    kept.push_str(line);
                    kept.push('\n');
                }
            }
        }
        write_atomically(&Disk, &path, kept.as_bytes())?;
        let file = regular_file::opened(File::options().append(true), &path).naming("open", &path)?;
        Ok(Self { file, path })
    }

    /// Writes one line and stamps it with the time.
    pub fn write(
        &mut self,
        event: &str,
        step: u64,
        epoch: u64,
        metrics: &BTreeMap<String, f64>,
    ) -> Result<(), FileError> {
        let record = Record { event: event.to_owned(), step, epoch, time: Timestamp::now(), metrics: metrics.clone() };
        let line = serde_json::to_string(&record).map_err(std::io::Error::from).naming("write", &self.path)?;
        // One call a line: a kill leaves whole lines and at most one torn one.
        self.file.write_all(format!("{line}\n").as_bytes()).naming("write", &self.path)
    }

    /// Makes all lines so far survive a power cut; called before a checkpoint that relies on them.
    pub fn sync(&self) -> Result<(), FileError> {
        self.file.sync_data().naming("sync", &self.path)
    }
}

/// All whole lines of a run's metrics; none when there are none.
///
/// Lines that cannot be read are passed over with a warning that names them, except a last one without its line end,
/// which is what a killed process leaves.
pub fn read(run_dir: &Path) -> Result<Vec<Record>, FileError> {
    let path = run_dir.join(METRICS_FILE);
    let text = read_text(&path)?;
    Ok(parse(&path, &text).map(|(_, record)| record).collect())
}

fn read_text(path: &Path) -> Result<String, FileError> {
    match regular_file::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(FileError { action: "read", path: path.to_owned(), source }),
    }
}

fn parse<'a>(path: &'a Path, text: &'a str) -> impl Iterator<Item = (&'a str, Record)> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.split('\n').enumerate().filter(|(_, line)| !line.is_empty()).filter_map(|(number, line)| {
        match serde_json::from_str(line) {
            Ok(record) => Some((line, record)),
            Err(error) => {
                tracing::warn!("passing over {}:{}: {error}", path.display(), number + 1);
                None
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn metrics(value: f64) -> BTreeMap<String, f64> {
        BTreeMap::from([("ssl/train/loss".to_owned(), value)])
    }

    fn steps(run_dir: &Path) -> Vec<u64> {
        read(run_dir).unwrap().iter().map(|record| record.step).collect()
    }

    #[test]
    fn a_line_is_one_object_with_the_documented_keys() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = MetricsLog::open(dir.path(), None).unwrap();
        log.write("epoch", 10, 2, &metrics(0.5)).unwrap();
        let text = fs::read_to_string(dir.path().join(METRICS_FILE)).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["event"], "epoch");
        assert_eq!((&line["step"], &line["epoch"]), (&10.into(), &2.into()));
        assert_eq!(line["metrics"], serde_json::json!({ "ssl/train/loss": 0.5 }));
        assert!(line["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn values_json_cannot_hold_become_null_and_then_nan() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = MetricsLog::open(dir.path(), None).unwrap();
        log.write("epoch", 1, 1, &metrics(f64::NAN)).unwrap();
        log.write("epoch", 2, 1, &metrics(f64::INFINITY)).unwrap();
        assert!(fs::read_to_string(dir.path().join(METRICS_FILE)).unwrap().contains(r#"{"ssl/train/loss":null}"#));
        assert!(read(dir.path()).unwrap().iter().all(|record| record.metrics["ssl/train/loss"].is_nan()));
    }

    #[test]
    fn resuming_drops_later_and_torn_lines_and_keeps_the_rest_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let mut log = MetricsLog::open(dir.path(), None).unwrap();
        for step in 1..=5 {
            log.write("step", step, 0, &metrics(0.1 * step as f64)).unwrap();
        }
        log.sync().unwrap();
        let before = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{before}{{\"event\":\"st")).unwrap();
        assert_eq!(steps(dir.path()), [1, 2, 3, 4, 5]);
        let mut log = MetricsLog::open(dir.path(), Some(3)).unwrap();
        assert!(before.starts_with(&fs::read_to_string(&path).unwrap()));
        log.write("step", 4, 0, &metrics(1.0)).unwrap();
        assert_eq!(steps(dir.path()), [1, 2, 3, 4]);
        MetricsLog::open(dir.path(), None).unwrap();
        assert!(steps(dir.path()).is_empty());
    }

    #[test]
    fn an_unreadable_line_in_the_middle_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = MetricsLog::open(dir.path(), None).unwrap();
        log.write("step", 1, 0, &metrics(1.0)).unwrap();
        log.file.write_all(b"\xff\0\0\n\n").unwrap();
        log.write("step", 2, 0, &metrics(1.0)).unwrap();
        assert_eq!(steps(dir.path()), [1, 2]);
    }

    #[test]
    fn a_run_without_metrics_has_none() {
        assert!(read(tempfile::tempdir().unwrap().path()).unwrap().is_empty());
    }
}
