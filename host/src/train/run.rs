//! A whole training run: from a configuration to a run's folder.

use super::checkpoint;
use super::continuity;
use super::engine::Engine;
use super::error::TrainError;
use super::record::Recorder;
use super::run_folder::{PluginFile, RunFolder, RunRecord, RunStatus};
use super::session::{self, Compute, Data};
use super::signals::Stop;
use super::state;
use crate::config::{Config, show};
use crate::native;
use crate::output::{export, progress, report};
use crate::plugin::Registry;
use crate::probe::LinearHead;
use jiff::Timestamp;
use selfsame_plugin_api::Task;
use std::collections::BTreeMap;

/// What to train, and with which plugins.
pub struct TrainRequest<'a> {
    /// The resolved configuration.
    pub config: &'a Config,
    /// The plugins.
    pub registry: &'a Registry,
    /// Show no progress.
    pub quiet: bool,
}

/// Trains as configured and answers the closing table.
///
/// # Errors
/// Anything that keeps the run from its last epoch; what was saved stays.
pub fn run(request: &TrainRequest) -> Result<String, TrainError> {
    let config = request.config;
    let resume = config.train.resume_from_last_checkpoint;
    let compute = Compute::select(config)?;
    let folder = RunFolder::open(&config.train.output_dir, resume)?;
    let checkpoint = if resume { checkpoint::latest(folder.path())? } else { None };
    if let Some(checkpoint) = &checkpoint {
        let state = checkpoint.load()?.state;
        continuity::check(&state["config"], config)?;
        let (then, now) = (&state["threads"], tch::get_num_threads());
        if compute.device == tch::Device::Cpu && *then != now {
            tracing::warn!(
                "the run was started with {then} threads and continues with {now} (OMP_NUM_THREADS): results will not be \
                 the same to the last bit"
            );
        }
    }
    let stop = Stop::install().map_err(|error| TrainError::data(format!("cannot listen for signals: {error}")))?;
    let services = progress::HostServices::new(request.quiet, stop.clone());
    let data = session::load_data(config, request.registry, &services, compute.device)?;
    let views = session::views(config, &data)?;
    let method =
        session::build_method(config, request.registry, data.card.channels, views.output_size(), compute.device)?;
    let head = linear_head(config, compute, &data, method.encoder().feature_dim())?;

    let mut record = new_record(request, compute, &data);
    if let Ok(earlier) = RunRecord::read(folder.path()) {
        record.started = earlier.started;
    }
    let steps_per_epoch = (data.train.len() / config.train.batch_size) as u64;
    let recorder = Recorder::open(folder.path(), config, steps_per_epoch, request.quiet)?;
    let mut engine =
        Engine::new(config, compute, &data, &views, method, head, folder.checkpoints()?, recorder, stop)?;
    match &checkpoint {
        Some(checkpoint) => {
            engine.restore(checkpoint)?;
            tracing::info!("continuing after step {} ({})", checkpoint.step, checkpoint.path.display());
        }
        None if resume => tracing::info!("nothing to resume in {}; starting anew", folder.path().display()),
        None => {}
    }
    let yaml = show::to_yaml(config).map_err(|error| TrainError::configuration(error.to_string()))?;
    folder.write_config(&yaml)?;
    folder.write_record(&record)?;

    let trained = engine.run();
    record.status = match &trained {
        Ok(_) => RunStatus::Completed,
        Err(TrainError::Stopped { .. }) => RunStatus::Interrupted,
        Err(TrainError::Failed { .. }) => RunStatus::Failed,
    };
    record.finished = Some(Timestamp::now());
    record.epochs_done = engine.position().epoch;
    record.metrics = engine.last_metrics().clone();
    let untrained = &engine.position().untrained;
    record.metrics.extend(untrained.iter().map(|(name, value)| (format!("untrained/{name}"), *value)));
    if let Ok(trained) = &trained {
        record.metrics.extend(trained.clone());
        export::write_encoder(
            &folder.path().join(export::ENCODER_FILE),
            &state::encoder_tensors(engine.method().encoder()),
            &BTreeMap::from([
                ("encoder".to_owned(), config.train.self_supervision.encoder_name.clone()),
                ("dataset".to_owned(), config.dataset.name.clone()),
                ("selfsame".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ]),
        )?;
    }
    folder.write_record(&record)?;
    engine.close();
    let trained = trained?;
    report::write_html(folder.path())?;
    Ok(report::closing(folder.path(), untrained_scores(&record), &trained))
}

fn untrained_scores(record: &RunRecord) -> BTreeMap<String, f64> {
    let strip = |(name, value): (&String, &f64)| Some((name.strip_prefix("untrained/")?.to_owned(), *value));
    record.metrics.iter().filter_map(strip).collect()
}

/// The online head, where the data set has labels.
fn linear_head(
    config: &Config,
    compute: Compute,
    data: &Data,
    feature_dim: usize,
) -> Result<Option<LinearHead>, TrainError> {
    let (true, Some(labels)) = (config.linear_head.enabled && data.card.task != Task::None, data.train.labels()) else {
        return Ok(None);
    };
    let labels = labels.to_device(compute.device);
    let balance = config.train.self_supervision.use_balanced_binary_loss_for_linear_head.then_some(&labels);
    let classes = data.card.classes.len();
    let head = LinearHead::new(&config.linear_head, data.card.task, feature_dim, classes, balance, compute.device)?;
    Ok(Some(head))
}

fn new_record(request: &TrainRequest, compute: Compute, data: &Data) -> RunRecord {
    let config = request.config;
    let mut split_sizes = BTreeMap::from([("train".to_owned(), data.train.len())]);
    if let Some((name, scored)) = data.scored() {
        split_sizes.insert(name.to_owned(), scored.len());
    }
    let plugins = request.registry.used().into_iter();
    RunRecord {
        status: RunStatus::Running,
        selfsame_version: env!("CARGO_PKG_VERSION").into(),
        libtorch_version: native::torch_version(),
        tch_version: "0.24.0".into(),
        command_line: std::env::args().collect(),
        started: Timestamp::now(),
        finished: None,
        device: match compute.device {
            tch::Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        },
        threads: tch::get_num_threads() as usize,
        seed: config.train.seed,
        method: "simclr".into(),
        encoder: config.train.self_supervision.encoder_name.clone(),
        dataset: config.dataset.name.clone(),
        split_sizes,
        plugins: plugins.map(|file| PluginFile { path: file.path.display().to_string(), sha256: file.sha256 }).collect(),
        epochs_done: 0,
        epochs: config.scheduler.epochs,
        metrics: BTreeMap::new(),
    }
}
