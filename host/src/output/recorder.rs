//! Everything that a run measures, to its files and to the person who watches.

use super::contact_sheet::{self, Sheet};
use super::events;
use super::gallery;
use super::progress::Progress;
use super::report;
use super::tensorboard::{TensorBoard, projector};
use super::views;
use crate::config::schema::MethodName;
use crate::config::{Config, Roles, flat};
use crate::error::Error;
use crate::metric;
use crate::run::metrics::{self, MetricsLog};
use crate::train::gallery::Gallery;
use crate::train::observer::{Observer, StepReport};
use crate::train::plan::Plan;
use indicatif::MultiProgress;
use selfsame_plugin_api::Split;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Writes metrics.jsonl and TensorBoard events, and shows progress.
pub struct Recorder {
    run_dir: PathBuf,
    log: MetricsLog,
    board: TensorBoard,
    progress: Progress,
    pace: Option<StepReport>,
    /// The step of the last line, and what has been recorded of it: each value once, whoever measures it again.
    recorded: (u64, BTreeSet<String>),
}

impl Recorder {
    /// Starts new files, or continues those of a run that is resumed from the checkpoint of step `resume_from`.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn open(run_dir: &Path, resume_from: Option<u64>, bars: &MultiProgress, plan: Plan) -> Result<Self, Error> {
        let log = MetricsLog::open(run_dir, resume_from)?;
        let step = resume_from.unwrap_or(0);
        let kept = metrics::read(run_dir)?.into_iter().filter(|record| record.step == step);
        Ok(Self {
            run_dir: run_dir.to_owned(),
            log,
            board: TensorBoard::open(run_dir, resume_from)?,
            progress: Progress::start(bars, plan),
            pace: None,
            recorded: (step, kept.flat_map(|record| record.metrics.into_keys()).collect()),
        })
    }

    fn record(&mut self, event: &str, step: u64, epoch: usize, metrics: &BTreeMap<String, f64>) -> Result<(), Error> {
        if step != self.recorded.0 {
            self.recorded = (step, BTreeSet::new());
        }
        let mut metrics = metrics.clone();
        metrics.retain(|name, _| self.recorded.1.insert(name.clone()));
        if metrics.is_empty() {
            return Ok(());
        }
        self.log.write(event, step, epoch as u64, &metrics)?;
        Ok(self.board.scalars(step, metrics.iter().map(|(name, value)| (name.as_str(), *value)))?)
    }
}

impl Recorder {
    /// Writes what decides what the run comes to, for TensorBoard's table of runs.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn hyperparameters(&mut self, config: &Config) -> Result<(), Error> {
        let json = serde_json::to_value(config).map_err(|error| Error::data(format!("the configuration: {error}")))?;
        let (roles, own) = (Roles::read(), config.train.self_supervision.method);
        let others: Vec<_> = MethodName::ALL.into_iter().filter(|method| *method != own).collect();
        let is_of = |key: &str, method: &MethodName| key.starts_with(&format!("method.{method}."));
        let decides = |key: &&str| {
            let decides = roles.of(key).is_some_and(|role| !role.may_change_on_resume());
            decides && !others.iter().any(|method| is_of(key, method))
        };
        let values = flat(&json);
        let values = values.iter().map(|(key, value)| (key.as_str(), *value)).filter(|(key, _)| decides(key));
        Ok(self.board.hyperparameters(values)?)
    }

    /// Writes images beside their random views; without any, those of an earlier attempt leave the page.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn views(&mut self, sheet: Option<&Sheet>) -> Result<(), Error> {
        views::write(&self.run_dir, sheet)?;
        match sheet {
            Some(sheet) => Ok(self.board.image("views", &contact_sheet::draw(sheet))?),
            None => Ok(()),
        }
    }

    /// A page that cannot be written costs no run.
    fn write_page(&self) {
        if let Err(error) = report::write_html(&self.run_dir) {
            tracing::warn!("the page cannot be written: {error}");
        }
    }
}

/// Tells programs of what was measured.
fn tell_scores(event: &str, step: u64, epoch: usize, metrics: &BTreeMap<String, f64>) {
    let metrics: BTreeMap<_, _> = metrics.iter().map(|(name, value)| (name, finite(*value))).collect();
    events::tell(event, json!({"step": step, "epoch": epoch, "metrics": metrics}));
}

/// JSON has no other numbers.
fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}

impl Observer for Recorder {
    fn step(&self, epoch: usize, within: usize) {
        self.progress.step(epoch as u64, within as u64);
    }

    fn phase(&self, what: &str, done: usize, total: usize) {
        self.progress.phase(what, done, total);
    }

    fn steps(&mut self, pace: &StepReport) -> Result<(), Error> {
        let mut metrics = BTreeMap::from([
            (metric::TRAIN_LOSS.name.to_owned(), pace.loss),
            (metric::LEARNING_RATE.name.to_owned(), pace.lr),
            (metric::IMAGES_PER_S.name.to_owned(), pace.images_per_s),
            (metric::DATA_WAIT.name.to_owned(), pace.data_wait),
        ]);
        metrics.extend(pace.metrics.clone());
        self.record("step", pace.step, pace.epoch, &metrics)?;
        self.progress.pace(pace);
        events::tell(
            "steps",
            json!({
                "step": pace.step,
                "epoch": pace.epoch,
                "loss": finite(pace.loss),
                "lr": pace.lr,
                "images_per_s": finite(pace.images_per_s),
                "data_wait": finite(pace.data_wait),
                "seconds_left": self.progress.left(pace.step).map(|left| left.as_secs()),
            }),
        );
        self.pace = Some(pace.clone());
        Ok(())
    }

    fn epoch(&mut self, step: u64, epoch: usize, metrics: &BTreeMap<String, f64>) -> Result<(), Error> {
        let event = if epoch == 0 { "untrained" } else { "epoch" };
        self.record(event, step, epoch, metrics)?;
        tell_scores(event, step, epoch, metrics);
        self.log.sync()?;
        if let Some(pace) = &self.pace {
            // Where positives are few, accuracy says little: their ranking stands in its place.
            let probes = [metric::Probe::Knn, metric::Probe::Online];
            let of = |probe: metric::Probe, score| metrics.get(&probe.metric(Split::Val, score));
            let is_ranked = probes.iter().any(|probe| of(*probe, &metric::AUROC).is_some());
            let score = if is_ranked { &metric::AUROC } else { &metric::ACCURACY };
            let shown = |probe: metric::Probe| Some((probe.titled(score), score.text(*of(probe, score)?)));
            let values: Vec<_> = probes.into_iter().filter_map(shown).collect();
            let loss = metrics.get(metric::EPOCH_LOSS.name).copied().unwrap_or(pace.loss);
            self.progress.epoch(epoch as u64, &StepReport { loss, ..pace.clone() }, &values);
        }
        self.write_page();
        Ok(())
    }

    fn gallery(&mut self, gallery: &Gallery) -> Result<(), Error> {
        gallery::write(&self.run_dir, gallery)?;
        projector::write(&self.run_dir, gallery)
    }

    fn trained(&mut self, step: u64, epoch: usize, metrics: &BTreeMap<String, f64>) -> Result<(), Error> {
        self.record("trained", step, epoch, metrics)?;
        tell_scores("trained", step, epoch, metrics);
        self.board.completed()?;
        Ok(self.log.sync()?)
    }

    fn ended(&mut self) {
        self.write_page();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.progress.finish();
    }
}
