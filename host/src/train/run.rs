//! A training run, from a configuration to a run's folder.

use super::build;
use super::compute::Compute;
use super::engine::{Engine, Trained};
use super::exchange;
use super::initial_weights::{INIT, InitialWeights};
use super::observer::Observer;
use super::plan::Plan;
use super::signals::Stop;
use crate::config::{self, Config};
use crate::error::Error;
use crate::method::Method;
use crate::metric;
use crate::native;
use crate::plugin::Registry;
use crate::probe::LinearHead;
use crate::run::checkpoint::{self, Checkpoint, Contents};
use crate::run::encoder_file::{self, ENCODER_FILE};
use crate::run::new_record::{data_sets, new_record};
use crate::run::record::RunStatus;
use crate::run::{RunFolder, RunRecord, resume_check, state, without_checkpoint};
use crate::samples::{self, RunData, RunViews, Skipped};
use crate::storage::sha256_of_file;
use crate::world::World;
use jiff::Timestamp;
use selfsame_plugin_api::{PluginError, Services, Split, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A run whose folder this process alone may write to, or the first of the processes that it computes with.
pub struct Run<'a> {
    config: &'a Config,
    stop: Stop,
    world: World,
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
    /// Locks the run's folder, finds out whether there is a run to resume, reads the samples and builds the networks; with the
    /// other processes of `world`, of which the first does what concerns the folder.
    ///
    /// `services` shows what goes on meanwhile; `stop` is looked at between the steps of [`train`](Self::train).
    ///
    /// # Errors
    /// A folder that is in use, or holds a run that is not to be resumed or cannot be; processes that do not agree on the run;
    /// whatever the stages before training refuse.
    pub fn open(
        config: &'a Config,
        registry: &Registry,
        services: &dyn Services,
        stop: Stop,
        world: World,
    ) -> Result<Self, Error> {
        let compute = Compute::of_process(config, world.local_ranks())?;
        agree_on(&world, &common_facts(config)?)?;
        exchange::choose(&world, config.train.collectives, compute.device)?;
        let (folder, found) = if world.is_first() {
            let (folder, found) = Found::look(config, compute, world.size())?;
            (folder, world.broadcast_json(json(&found)?).map(|_| found)?)
        } else {
            let found = world.broadcast_json(Value::Null)?;
            (RunFolder::of_another_process(&config.train.output_dir), from_json(found)?)
        };
        if let Some(record) = found.complete {
            return Ok(Self { config, stop, world, folder, record, parts: None });
        }
        folder.begin_log();
        let checkpoint = found.checkpoint.map(|(step, path)| Checkpoint { step, path });
        let wanted = &config.train.self_supervision;
        let init = wanted.init.as_deref().filter(|_| checkpoint.is_none());
        let init = init.map(|path| InitialWeights::read(INIT, path, wanted.init_prefix.as_deref())).transpose()?;
        let data = world.first_on_node("reading the samples", || {
            samples::load(config, registry, services, compute.device, &found.skipped)
        })?;
        if let Some(earlier) = &found.earlier {
            resume_check::check_samples(&earlier.data_sets, &data_sets(&data))?;
            folder.ensure_same_skipped(&found.skipped, &data.skipped())?;
        }
        agree_on(&world, &sample_facts(&data)?)?;
        folder.write_skipped(&data.skipped())?;
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
        match (found.earlier, found.begun) {
            (Some(earlier), _) => record.continue_from(earlier),
            (None, begun) => record.follow(begun.map(|begun| begun.commands).unwrap_or_default()),
        }
        let changed = checkpoint.as_ref().filter(|_| world.is_first());
        if let Some(changed) = changed.and_then(|checkpoint| checkpoint.changed_metrics(folder.path())) {
            record.warnings.warn(changed);
        }
        let parts = Some(Parts { compute, data, views, method, head, checkpoint });
        Ok(Self { config, stop, world, folder, record, parts })
    }

    pub(super) fn config(&self) -> &Config {
        self.config
    }

    /// Device, samples and views; none: nothing is left to train.
    pub(super) fn parts(&self) -> Option<(Compute, &RunData, &RunViews)> {
        self.parts.as_ref().map(|parts| (parts.compute, &parts.data, &parts.views))
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
        self.world.set_last_act(self.folder.note_failure(&self.record));
        let (stop, world) = (self.stop.clone(), self.world.clone());
        let mut engine =
            Engine::new(self.config, compute, &data, &views, method, head, checkpoints, observer, stop, world)?;
        if let Some(checkpoint) = &checkpoint {
            engine.restore(contents(&self.world, checkpoint)?)?;
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
                if let Err(second) = self.world.settle(|| self.folder.write_record(&self.record)) {
                    tracing::warn!("{second}");
                }
                observer.ended();
                Err(error)
            }
        }
    }

    /// Writes the trained encoder, and the record with its digest.
    fn export(&mut self, method: &dyn Method) -> Result<(), Error> {
        if !self.world.is_first() {
            return Ok(());
        }
        let tensors = state::encoder_tensors(method.encoder());
        let file = self.folder.path().join(ENCODER_FILE);
        let record = &mut self.record;
        encoder_file::export_encoder(
            &file,
            &tensors,
            &encoder_file::metadata(record, self.config, &record.embedding)?,
        )?;
        record.encoder_sha256 = Some(sha256_of_file(&file)?.0);
        self.world.settle(|| self.folder.write_record(&self.record))
    }
}

/// What a run's folder holds for this start, found out by the process that has it.
#[derive(Default, Serialize, Deserialize)]
struct Found {
    /// Step and folder of the checkpoint that training goes on from.
    checkpoint: Option<(u64, PathBuf)>,
    /// The record of a run of which nothing is left to do.
    complete: Option<RunRecord>,
    /// Samples that the run has skipped so far.
    skipped: Skipped,
    /// The record of the run that goes on.
    earlier: Option<RunRecord>,
    /// That of a start that came to nothing: it is replaced, but not its command line.
    begun: Option<RunRecord>,
}

impl Found {
    /// Locks the folder and looks.
    fn look(config: &Config, compute: Compute, processes: usize) -> Result<(RunFolder, Self), Error> {
        let is_resumed = config.train.resume_from_last_checkpoint;
        let folder = RunFolder::open(&config.train.output_dir, is_resumed)?;
        let mut found = Self::default();
        if !is_resumed {
            return Ok((folder, found));
        }
        let Some(checkpoint) = checkpoint::latest(folder.path())? else {
            found.complete = without_checkpoint::complete_run(folder.path(), config)?;
            found.begun = RunRecord::find(folder.path())?;
            return Ok((folder, found));
        };
        resume_check::check(&checkpoint.load()?.state, config, compute.device, processes)?;
        found.skipped = folder.skipped()?;
        found.earlier = Some(RunRecord::read(folder.path())?);
        found.checkpoint = Some((checkpoint.step, checkpoint.path));
        Ok((folder, found))
    }
}

fn json(value: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| Error::data(format!("what the run's folder holds: {error}")))
}

fn from_json<T: for<'a> Deserialize<'a>>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value)
        .map_err(|error| Error::data(format!("what process 0 says of the run's folder: {error}")))
}

/// What a checkpoint holds, read by the first process.
fn contents(world: &World, checkpoint: &Checkpoint) -> Result<Contents, Error> {
    let Contents { mut groups, state } = if world.is_first() { checkpoint.load()? } else { Contents::default() };
    let names = world.broadcast_json(json(&groups.keys().collect::<Vec<_>>())?)?;
    let mut of_all = BTreeMap::new();
    for name in from_json::<Vec<String>>(names)? {
        let tensors = world.broadcast_named(groups.remove(&name).unwrap_or_default())?;
        of_all.insert(name, tensors);
    }
    Ok(Contents { groups: of_all, state: world.broadcast_json(state)? })
}

/// What all processes of a run need alike before they read its samples.
fn common_facts(config: &Config) -> Result<Vec<(String, String)>, Error> {
    let mut facts = vec![
        ("selfsame".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("libtorch".to_owned(), native::libtorch_version().to_owned()),
    ];
    facts.extend(resume_check::common_values(config)?);
    Ok(facts)
}

/// What the samples of all processes have to be alike in.
fn sample_facts(data: &RunData) -> Result<Vec<(String, String)>, Error> {
    let sets = data.encoder.iter().chain(&data.head).enumerate();
    let mut facts: Vec<(String, String)> = sets
        .map(|(index, set)| (format!("the samples of data set {index} ({})", set.label), set.samples_sha256.clone()))
        .collect();
    facts.push(("the samples that are skipped".to_owned(), json(&data.skipped())?.to_string()));
    Ok(facts)
}

/// Refuses processes that would not compute the same run.
fn agree_on(world: &World, facts: &[(String, String)]) -> Result<(), Error> {
    match world.differing(facts)? {
        differing if differing.is_empty() => Ok(()),
        differing => Err(Error::configuration(format!(
            "the processes of a run need the same program, configuration and samples, and these differ: {}",
            differing.join("; ")
        ))),
    }
}
