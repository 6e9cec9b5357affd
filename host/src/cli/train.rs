//! `selfsame train`: from a configuration to a run's folder.

use super::args::{Cli, TrainArgs};
use super::failure::Failure;
use super::{open, own_config, resume};
use crate::config::{self, Config};
use crate::native;
use crate::output::counter::Counter;
use crate::output::host_services::HostServices;
use crate::output::progress::Plan;
use crate::output::recorder::Recorder;
use crate::output::report;
use crate::plugin::Registry;
use crate::probe::{LinearHead, Warnings};
use crate::run::folder::{LeftOut, PluginFile, RunFolder, RunRecord, RunStatus};
use crate::run::{checkpoint, encoder_file, resume_check, state};
use crate::samples::data_set::{self, Compute};
use crate::samples::data_sets::{self, RunData};
use crate::storage::sha256_of_file;
use crate::train::TrainError;
use crate::train::engine::Engine;
use crate::train::initial_weights::InitialWeights;
use crate::train::signals::Stop;
use indicatif::MultiProgress;
use jiff::Timestamp;
use selfsame_plugin_api::{Normalization, Split, Task};
use std::collections::BTreeMap;
use std::path::Path;

/// Resolves the configuration, trains, and answers the closing table.
pub fn train(cli: &Cli, arguments: &TrainArgs, bars: &MultiProgress) -> Result<String, Failure> {
    let registry = open::registry(&cli.common);
    let mut extra = Vec::new();
    if let Some(folder) = &arguments.output_dir {
        let folder = folder.to_str().ok_or_else(|| {
            Failure::usage(format!(
                "--output-dir {}: expected a name in UTF-8; choose another folder",
                folder.display()
            ))
        })?;
        extra.push(format!("train.output_dir={}", quoted(folder)));
    }
    if arguments.resume {
        extra.push("train.resume_from_last_checkpoint=true".to_owned());
    }
    let resolved = open::configuration(&arguments.config, &extra, &registry)?;
    own_config::ensure_one_run(&resolved, &arguments.config.files)?;
    let stop = Stop::install().map_err(TrainError::from)?;
    run(&resolved.config, &registry, bars, &stop).map_err(|error| Failure::from(error).signalled(&stop))
}

/// A YAML scalar that reads back as exactly this text.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn run(config: &Config, registry: &Registry, bars: &MultiProgress, stop: &Stop) -> Result<String, TrainError> {
    let is_resumed = config.train.resume_from_last_checkpoint;
    let compute = Compute::select(config)?;
    let folder = RunFolder::open(&config.train.output_dir, is_resumed)?;
    let checkpoint = if is_resumed { checkpoint::latest(folder.path())? } else { None };
    match &checkpoint {
        Some(checkpoint) => resume_check::check(&checkpoint.load()?.state, config, compute.device)?,
        None if is_resumed => {
            if let Some(closing) = resume::without_checkpoint(folder.path(), config)? {
                return Ok(closing);
            }
        }
        None => {}
    }
    let init = config.train.self_supervision.init.as_deref().filter(|_| checkpoint.is_none());
    let init = init.map(InitialWeights::read).transpose()?;
    let stopped = || stop.requested().is_some();
    let left_out = if checkpoint.is_some() { folder.left_out()? } else { LeftOut::new() };
    let data = data_sets::load(config, registry, &HostServices::new(bars, &stopped), compute.device, &left_out)?;
    let earlier = checkpoint.as_ref().map(|_| RunRecord::read(folder.path())).transpose()?;
    earlier.iter().try_for_each(|earlier| resume_check::check_samples(&earlier.data_sets, &data.record()))?;
    if checkpoint.is_some() {
        folder.ensure_same_left_out(&left_out, &data.left_out())?;
    }
    folder.write_left_out(&data.left_out())?;
    let building = Counter::new(bars);
    building.show("building the encoder", 0, 0);
    let views = data_sets::views(config, &data)?;
    let (channels, size) = (views.encoder.output_channels(), views.encoder.output_size());
    // A head with batches of its own embeds those.
    let with_features = config.linear_head.enabled
        && data.task().card.task != Task::None
        && data.task().train.labels().is_some()
        && !data.head_draws_own_batches();
    let method =
        data_set::build_method(init.as_ref(), config, registry, channels, size, compute.device, with_features)?;
    let head = linear_head(config, compute, &data, method.encoder().feature_dim())?;

    let mut record = new_record(config, registry, compute, &data, [channels, size.0, size.1]);
    record.embedding = method.embedding();
    record.init = init.as_ref().map(InitialWeights::file);
    data.caveats(config)?.into_iter().for_each(|caveat| record.warnings.warn(caveat));
    if let Some(earlier) = earlier {
        record.started = earlier.started;
        record.init = earlier.init;
        record.warnings.keep(&earlier.warnings);
        // Scores of the last epoch of a run that goes on are not those of its end.
        record.metrics = earlier.metrics;
        record.metrics.retain(|name, _| !name.starts_with("linear/") && !name.contains("/test/"));
    }
    let steps_done = checkpoint.as_ref().map(|checkpoint| checkpoint.step);
    let plan = Plan {
        epochs: config.scheduler.epochs as u64,
        steps_per_epoch: (data.mixture.epoch_len() / config.train.batch_size) as u64,
    };
    building.show("opening the run's folder", 0, 0);
    let mut recorder = Recorder::open(folder.path(), steps_done, bars, plan)?;
    let checkpoints = folder.checkpoints()?;
    folder.write_config(&config::to_yaml(config).map_err(|error| TrainError::configuration(error.to_string()))?)?;
    folder.write_record(&record)?;

    let mut engine =
        Engine::new(config, compute, &data, &views, method, head, checkpoints, &mut recorder, stop.clone())?;
    if let Some(checkpoint) = &checkpoint {
        engine.restore(checkpoint)?;
        tracing::info!("continuing after step {}", checkpoint.step);
    }
    drop(building);
    let outcome = engine.run();
    let next = next_steps(folder.path(), &data);
    finish(config, &folder, &engine, record, outcome, &next)
}

/// Writes what the run came to, whichever way it ended.
fn finish(
    config: &Config,
    folder: &RunFolder,
    engine: &Engine,
    mut record: RunRecord,
    outcome: Result<BTreeMap<String, f64>, TrainError>,
    next: &[String],
) -> Result<String, TrainError> {
    record.status = match &outcome {
        Ok(_) => RunStatus::Completed,
        Err(TrainError::Stopped { .. }) => RunStatus::Interrupted,
        Err(TrainError::Failed { .. }) => RunStatus::Failed,
    };
    engine.phase("writing the results");
    record.finished = Some(Timestamp::now());
    record.epochs_done = engine.position().epoch;
    record.warnings.keep(engine.warnings());
    record.metrics.extend(engine.last_metrics().clone());
    let untrained = engine.position().untrained.iter();
    record.metrics.extend(untrained.map(|(name, value)| (format!("untrained/{name}"), *value)));
    record.metrics.extend(outcome.as_ref().ok().into_iter().flatten().map(|(name, value)| (name.clone(), *value)));
    if let Err(error) = outcome {
        // The first failure is the one to tell, whatever becomes of the record.
        if let Err(second) = folder.write_record(&record) {
            tracing::warn!("{second}");
        }
        write_page(folder);
        return Err(error);
    }
    let tensors = state::encoder_tensors(engine.method().encoder());
    let encoder = &config.train.self_supervision.encoder_name;
    let file = folder.path().join(encoder_file::ENCODER_FILE);
    encoder_file::export_encoder(&file, &tensors, encoder, &record.embedding, &record.dataset)?;
    record.encoder_sha256 = Some(sha256_of_file(&file)?.0);
    folder.write_record(&record)?;
    write_page(folder);
    Ok(report::final_report(&record, folder.path(), next))
}

fn write_page(folder: &RunFolder) {
    if let Err(error) = report::write_html(folder.path()) {
        tracing::warn!("the page cannot be written: {error}");
    }
}

/// Commands that make something of the run.
fn next_steps(run: &Path, data: &RunData) -> Vec<String> {
    let (page, run) = (run.join(report::REPORT_FILE), run.to_string_lossy());
    let run = shell_words::quote(&run);
    let mut next = vec![
        format!("selfsame report {run}    (the page with curves is {})", page.display()),
        format!("selfsame export {run} --out encoder.safetensors"),
    ];
    let task = data.task();
    let scored = match task.card.splits.contains(&Split::Test) {
        true => Some("test"),
        false => task.val.is_some().then_some("val"),
    };
    if let Some(split) = scored.filter(|_| task.card.task != Task::None) {
        next.push(format!("selfsame evaluate {run}    (kNN and linear probe on the {split} split, with intervals)"));
    }
    next
}

/// The online head, where the data set that it learns from has labels.
fn linear_head(
    config: &Config,
    compute: Compute,
    data: &RunData,
    feature_dim: usize,
) -> Result<Option<LinearHead>, TrainError> {
    let task = data.task();
    let (true, Some(labels)) = (config.linear_head.enabled && task.card.task != Task::None, task.train.labels()) else {
        return Ok(None);
    };
    let labels = labels.f_to_device(compute.device)?;
    let balance = config.train.self_supervision.use_balanced_binary_loss_for_linear_head.then_some(&labels);
    let classes = task.card.classes.len();
    let head = LinearHead::new(&config.linear_head, task.card.task, feature_dim, classes, balance, compute.device)?;
    Ok(Some(head))
}

fn new_record(
    config: &Config,
    registry: &Registry,
    compute: Compute,
    data: &RunData,
    input_size: [usize; 3],
) -> RunRecord {
    let data_sets = data.record();
    let mut split_sizes = BTreeMap::new();
    for (split, size) in data_sets.iter().take(data.encoder.len()).flat_map(|data| &data.split_sizes) {
        *split_sizes.entry(split.clone()).or_default() += size;
    }
    let plugins = registry.used().into_iter();
    RunRecord {
        status: RunStatus::Running,
        selfsame_version: env!("CARGO_PKG_VERSION").into(),
        libtorch_version: native::libtorch_version().into(),
        tch_version: native::TCH_VERSION.into(),
        command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        started: Timestamp::now(),
        finished: None,
        device: match compute.device {
            tch::Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        },
        threads: tch::get_num_threads() as usize,
        seed: config.train.seed,
        method: config.train.self_supervision.method.to_string(),
        encoder: config.train.self_supervision.encoder_name.clone(),
        embedding: String::new(),
        dataset: data.encoder_name(),
        input_size,
        image_size: Some(data.image_size()),
        normalization: data.statistics().map(|(mean, std)| Normalization { mean, std }),
        split_sizes,
        data_sets,
        plugins: plugins
            .map(|file| PluginFile { path: file.path.display().to_string(), sha256: file.sha256 })
            .collect(),
        init: None,
        encoder_sha256: None,
        epochs_done: 0,
        epochs: config.scheduler.epochs,
        warnings: Warnings::default(),
        metrics: BTreeMap::new(),
    }
}
