//! A training run, from a configuration to a run's folder.

use super::build;
use super::compute::Compute;
use super::engine::{Engine, Trained};
use super::initial_weights::{INIT, InitialWeights};
use super::observer::Observer;
use super::plan::Plan;
use super::signals::Stop;
use crate::config::{self, Config};
use crate::error::Error;
use crate::method::Method;
use crate::metric;
use crate::plugin::Registry;
use crate::probe::LinearHead;
use crate::run::checkpoint::{self, Checkpoint};
use crate::run::encoder_file::{self, ENCODER_FILE};
use crate::run::new_record::{data_sets, new_record};
use crate::run::record::RunStatus;
use crate::run::{RunFolder, RunRecord, resume_check, state, without_checkpoint};
use crate::samples::{self, RunData, RunViews, Skipped};
use crate::storage::sha256_of_file;
use jiff::Timestamp;
use selfsame_plugin_api::{PluginError, Services, Split, Task};
use std::collections::BTreeMap;
use std::path::Path;

/// A run whose folder this process alone may write to.
pub struct Run<'a> {
    config: &'a Config,
    stop: Stop,
    folder: RunFolder,
    record: RunRecord,
    /// What is trained; none: all of it has been done.
    parts: Option<Parts>,
}

/// What a run consists of.
struct Parts {
    compute: Compute,
    data: RunData,
    views: RunViews,
    method: Box<dyn Method>,
    head: Option<LinearHead>,
    /// Where it goes on.
    checkpoint: Option<Checkpoint>,
}

impl<'a> Run<'a> {
    /// Locks the run's folder, finds out whether there is a run to resume, reads the samples and builds the networks.
    ///
    /// `services` shows what goes on meanwhile; `stop` is looked at between the steps of [`train`](Self::train).
    ///
    /// # Errors
    /// A folder that is in use, or holds a run that is not to be resumed or cannot be; whatever the stages before training
    /// refuse.
    pub fn open(config: &'a Config, registry: &Registry, services: &dyn Services, stop: Stop) -> Result<Self, Error> {
        let is_resumed = config.train.resume_from_last_checkpoint;
        let compute = Compute::select(config)?;
        let folder = RunFolder::open(&config.train.output_dir, is_resumed)?;
        let checkpoint = if is_resumed { checkpoint::latest(folder.path())? } else { None };
        match &checkpoint {
            Some(checkpoint) => resume_check::check(&checkpoint.load()?.state, config, compute.device)?,
            None if is_resumed => {
                if let Some(record) = without_checkpoint::complete_run(folder.path(), config)? {
                    return Ok(Self { config, stop, folder, record, parts: None });
                }
            }
            None => {}
        }
        let wanted = &config.train.self_supervision;
        let init = wanted.init.as_deref().filter(|_| checkpoint.is_none());
        let init = init.map(|path| InitialWeights::read(INIT, path, wanted.init_prefix.as_deref())).transpose()?;
        // The record of a start that came to nothing is replaced, but not its command line.
        let begun = is_resumed.then(|| RunRecord::find(folder.path())).transpose()?.flatten();
        let (data, earlier) = load(config, registry, services, compute, &folder, checkpoint.is_some())?;
        services.items("building the encoder", 0, None).map_err(PluginError::from)?;
        let views = samples::views(config, &data)?;
        let (channels, size) = (views.encoder.output_channels(), views.encoder.output_size());
        let with_features = build::head_needs_features(config, &data);
        let method =
            build::build_method(init.as_ref(), config, registry, channels, size, compute.device, with_features)?;
        let head = build::linear_head(config, compute, &data, method.encoder().feature_dim())?;

        let mut record = new_record(config, registry, compute.device, &data, [channels, size.height, size.width]);
        record.embedding = method.embedding();
        record.init = init.as_ref().map(InitialWeights::file);
        data.caveats(config)?.into_iter().for_each(|caveat| record.warnings.warn(caveat));
        match (earlier, begun) {
            (Some(earlier), _) => record.continue_from(earlier),
            (None, begun) => record.follow(begun.map(|begun| begun.commands).unwrap_or_default()),
        }
        if let Some(changed) = checkpoint.as_ref().and_then(|checkpoint| checkpoint.changed_metrics(folder.path())) {
            record.warnings.warn(changed);
        }
        let parts = Some(Parts { compute, data, views, method, head, checkpoint });
        Ok(Self { config, stop, folder, record, parts })
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What is known of the run so far.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// How long it is, and the steps that are done where it is resumed from a checkpoint; none: nothing is left to train.
    pub fn plan(&self) -> Option<(Plan, Option<u64>)> {
        let parts = self.parts.as_ref()?;
        let done = parts.checkpoint.as_ref().map(|checkpoint| checkpoint.step);
        Some((Plan::new(self.config, &parts.data), done))
    }

    /// The split that the trained encoder can be scored on: test, else validation; none without labels.
    pub fn scored_split(&self) -> Option<Split> {
        let probed = self.parts.as_ref()?.data.probe_data();
        let split = match probed.card.splits.contains(&Split::Test) {
            true => Some(Split::Test),
            false => probed.val.is_some().then_some(Split::Val),
        };
        split.filter(|_| probed.card.task != Task::None)
    }

    /// Trains what is left to train, tells `observer` of it, and writes what it came to, whichever way it ended.
    ///
    /// What is measured on the way is the observer's to keep; that of the program writes `metrics.jsonl`.
    ///
    /// # Errors
    /// A signal (after saving), a loss that is not finite, or anything that a stage refuses.
    pub fn train(&mut self, observer: &mut dyn Observer) -> Result<&RunRecord, Error> {
        let Some(parts) = self.parts.take() else { return Ok(&self.record) };
        let Parts { compute, data, views, method, head, checkpoint } = parts;
        let checkpoints = self.folder.checkpoints()?;
        let yaml = config::to_yaml(&config::absolute(self.config))?;
        self.folder.write_config(&yaml)?;
        self.folder.write_record(&self.record)?;
        let mut engine =
            Engine::new(self.config, compute, &data, &views, method, head, checkpoints, observer, self.stop.clone())?;
        if let Some(checkpoint) = &checkpoint {
            engine.restore(checkpoint)?;
            tracing::info!("continuing after step {}", checkpoint.step);
        }
        let outcome = engine.run();
        let trained = engine.into_trained();
        observer.phase("writing the results", 0, 0);
        self.finish(trained, outcome, observer)?;
        Ok(&self.record)
    }

    fn finish(
        &mut self,
        trained: Trained,
        outcome: Result<BTreeMap<String, f64>, Error>,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let Trained { method, position, last_metrics, warnings } = trained;
        let record = &mut self.record;
        record.status = match &outcome {
            Ok(_) => RunStatus::Completed,
            Err(Error::Stopped { .. }) => RunStatus::Interrupted,
            Err(Error::Failed { .. }) => RunStatus::Failed,
        };
        record.finished = Some(Timestamp::now());
        record.epochs_done = position.epoch;
        record.warnings.keep(&warnings);
        record.metrics.extend(last_metrics);
        let untrained = position.untrained.into_iter();
        record.metrics.extend(untrained.map(|(name, value)| (metric::untrained(&name), value)));
        match outcome {
            Ok(scores) => {
                record.metrics.extend(scores);
                self.export(method.as_ref())?;
                observer.ended();
                Ok(())
            }
            Err(error) => {
                // The first failure is the one to tell, whatever becomes of the record.
                if let Err(second) = self.folder.write_record(&self.record) {
                    tracing::warn!("{second}");
                }
                observer.ended();
                Err(error)
            }
        }
    }

    /// Writes the trained encoder, and the record with its digest.
    fn export(&mut self, method: &dyn Method) -> Result<(), Error> {
        let tensors = state::encoder_tensors(method.encoder());
        let file = self.folder.path().join(ENCODER_FILE);
        let record = &mut self.record;
        encoder_file::export_encoder(
            &file,
            &tensors,
            &encoder_file::metadata(record, self.config, &record.embedding)?,
        )?;
        record.encoder_sha256 = Some(sha256_of_file(&file)?.0);
        self.folder.write_record(&self.record)
    }
}

/// Reads the samples, and lists those that are skipped; with the record of the run that goes on, where one does.
///
/// # Errors
/// What the plugins say; other samples than the run was started with.
fn load(
    config: &Config,
    registry: &Registry,
    services: &dyn Services,
    compute: Compute,
    folder: &RunFolder,
    goes_on: bool,
) -> Result<(RunData, Option<RunRecord>), Error> {
    let skipped = if goes_on { folder.skipped()? } else { Skipped::new() };
    let data = samples::load(config, registry, services, compute.device, &skipped)?;
    let earlier = goes_on.then(|| RunRecord::read(folder.path())).transpose()?;
    if let Some(earlier) = &earlier {
        resume_check::check_samples(&earlier.data_sets, &data_sets(&data))?;
        folder.ensure_same_skipped(&skipped, &data.skipped())?;
    }
    folder.write_skipped(&data.skipped())?;
    Ok((data, earlier))
}
