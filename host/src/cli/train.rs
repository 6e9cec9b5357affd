//! `selfsame train`: from a configuration to a run's folder.

use super::args::{Cli, Resume, TrainArgs};
use super::dry_run::dry_run;
use super::failure::Failure;
use super::open::{self, PathFlag};
use super::own_config;
use super::print::say;
use super::profile::profile;
use super::several;
use super::views_sheet;
use crate::config::Config;
use crate::error::Error;
use crate::home;
use crate::output::events;
use crate::output::host_services::HostServices;
use crate::output::recorder::Recorder;
use crate::output::report;
use crate::plugin::Registry;
use crate::run::without_checkpoint;
use crate::train::Run;
use crate::train::observer::Silent;
use crate::train::signals::Stop;
use crate::world::{Launch, Start, World};
use indicatif::MultiProgress;
use selfsame_plugin_api::{ErrorKind, PluginError, Services, Split};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Resolves the configuration, trains, alone or with others, and prints the closing table.
pub fn train(cli: &Cli, arguments: &TrainArgs, start: Start, bars: &MultiProgress) -> Result<(), Failure> {
    let registry = open::registry(&cli.common);
    let mut config = arguments.config.clone();
    let (flag, folder) = match (&arguments.resume, &arguments.output_dir) {
        (Some(Resume::Run(_)), Some(_)) => {
            return Err(Failure::usage("`--resume RUN` and `--output-dir` both name the run's folder; leave one out"));
        }
        (Some(Resume::Run(run)), None) => {
            config.files.insert(0, own_config::of_run(run)?);
            ("--resume", Some(run))
        }
        (_, folder) => ("--output-dir", folder.as_ref()),
    };
    let folder = folder.map(|path| PathFlag { flag, key: "train.output_dir", path });
    let resume = arguments.resume.as_ref().map(|_| "train.resume_from_last_checkpoint=true".to_owned());
    let resolved = open::configuration(&config, resume.as_slice(), folder.as_slice(), &registry)?;
    own_config::ensure_one_run(&resolved, &config.files)?;
    if arguments.dry_run {
        return match start {
            Start::Alone => say(&dry_run(&resolved, &registry, bars)?),
            _ => Err(Failure::usage("`--dry-run` measures one process alone; leave out what starts several")),
        };
    }
    if let Some(steps) = arguments.profile {
        return match start {
            Start::Alone => say(&profile(&resolved, &registry, bars, steps, arguments.json)?),
            _ => Err(Failure::usage("`--profile` measures one process alone; leave out what starts several")),
        };
    }
    let folder = &resolved.config.train.output_dir;
    if arguments.resume == Some(Resume::Must) && !without_checkpoint::can_go_on(folder)? {
        return Err(Failure::usage(format!(
            "{} holds nothing to continue (`--resume=must`): neither a checkpoint nor a complete run; `--resume` alone starts \
             the run there",
            home::absolute(folder).display()
        )));
    }
    let launch = match start {
        Start::Alone => None,
        Start::Member(launch) => Some(launch),
        Start::Fleet(fleet) => {
            ensure_divisible(&resolved.config, fleet.size)?;
            return several::start(&fleet);
        }
    };
    let stop = Stop::install()?;
    let world = launch.map_or(Ok(World::alone()), |launch| join(&resolved.config, launch))?;
    let trained = run(&resolved.config, &registry, bars, &stop, world.clone());
    let was_stopped = matches!(trained, Err(Error::Stopped { .. }));
    let outcome = trained.map_err(|error| open::naming_path(&resolved, Failure::from(error).signalled(&stop)));
    match several::end(&world, outcome, was_stopped)? {
        Some(table) => Ok(say(&table)?),
        None => Ok(()),
    }
}

/// Every process has as many rows of a batch as the others, so that no key changes its meaning with their number.
fn ensure_divisible(config: &Config, processes: usize) -> Result<(), Failure> {
    let train = &config.train;
    let sizes = [("train.batch_size", Some(train.batch_size)), ("train.micro_batch_size", train.micro_batch_size)];
    let wrong =
        sizes.into_iter().find_map(|(key, size)| Some((key, size.filter(|size| !size.is_multiple_of(processes))?)));
    match wrong {
        None => Ok(()),
        Some((key, size)) => Err(Failure::usage(format!(
            "`{key}` is {size}, which {processes} processes cannot share equally; choose a multiple of {processes} (it is the \
             size over all processes)"
        ))),
    }
}

/// Meets the other processes.
fn join(config: &Config, launch: Launch) -> Result<World, Failure> {
    ensure_divisible(config, launch.size)?;
    several::join(launch, Duration::from_secs(config.train.collective_timeout))
}

fn run(config: &Config, registry: &Registry, bars: &MultiProgress, stop: &Stop, world: World) -> Result<String, Error> {
    let stopped = || stop.requested().is_some();
    let services = HostServices::new(bars, &stopped);
    let is_first = world.is_first();
    let mut run = Run::open(config, registry, &services, stop.clone(), world)?;
    let Some((plan, steps_done)) = run.plan() else {
        return Ok(format!(
            "The run in {} is complete, all {} epochs are done. Nothing was changed.\n\n{}",
            run.folder().display(),
            run.record().epochs_done,
            report::final_report(run.record(), run.folder(), &[])
        ));
    };
    if !is_first {
        return run.train(&mut Silent).map(|_| String::new());
    }
    events::tell(
        "start",
        json!({
            "run": home::absolute(run.folder()),
            "epochs": plan.epochs,
            "steps_per_epoch": plan.steps_per_epoch,
            "steps_done": steps_done,
        }),
    );
    services.items("opening the run's folder", 0, None).map_err(PluginError::from)?;
    let mut recorder = Recorder::open(run.folder(), steps_done, bars, plan)?;
    recorder.hyperparameters(config)?;
    if steps_done.is_none() || !config.train.report_images {
        // What is only shown costs no run.
        let shown = views_sheet::of_run(&run, config).and_then(|sheet| recorder.views(sheet.as_ref()));
        shown.unwrap_or_else(|error| tracing::warn!("the views cannot be drawn: {error}"));
    }
    services.clear();
    let next = next_steps(run.folder(), run.scored_split());
    run.train(&mut recorder).map(drop).map_err(|error| with_way_on(error, run.folder()))?;
    Ok(report::final_report(run.record(), run.folder(), &next))
}

/// A run that files or a full disk have stopped has lost nothing that was saved.
fn with_way_on(error: Error, run: &Path) -> Error {
    match error {
        Error::Failed { kind: ErrorKind::Data, message } => {
            let run = run.to_string_lossy();
            let message = format!(
                "{message}. When that is mended, `selfsame train --resume {}` goes on",
                shell_words::quote(&run)
            );
            Error::Failed { kind: ErrorKind::Data, message }
        }
        error => error,
    }
}

/// Commands that make something of the run.
fn next_steps(run: &Path, scored: Option<Split>) -> Vec<String> {
    let (page, run) = (run.join(report::REPORT_FILE), run.to_string_lossy());
    let run = shell_words::quote(&run);
    let mut next = vec![
        format!("selfsame report {run}    (the page with curves is {})", page.display()),
        format!("selfsame export {run} --out encoder.safetensors"),
    ];
    next.extend(scored.map(|split| {
        let split = split.name();
        format!("selfsame evaluate {run}    (kNN and linear probe on the {split} split, with intervals)")
    }));
    next
}
