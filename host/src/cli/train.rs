//! `selfsame train`: from a configuration to a run's folder.

use super::args::{Cli, Resume, TrainArgs};
use super::failure::Failure;
use super::open::{self, PathFlag};
use super::own_config;
use crate::config::Config;
use crate::error::Error;
use crate::home;
use crate::output::host_services::HostServices;
use crate::output::recorder::Recorder;
use crate::output::report;
use crate::plugin::Registry;
use crate::run::without_checkpoint;
use crate::train::Run;
use crate::train::signals::Stop;
use indicatif::MultiProgress;
use selfsame_plugin_api::{ErrorKind, PluginError, Services, Split};
use std::path::Path;

/// Resolves the configuration, trains, and returns the closing table.
pub fn train(cli: &Cli, arguments: &TrainArgs, bars: &MultiProgress) -> Result<String, Failure> {
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
    let folder = &resolved.config.train.output_dir;
    if arguments.resume == Some(Resume::Must) && !without_checkpoint::can_go_on(folder)? {
        return Err(Failure::usage(format!(
            "{} holds nothing to continue (`--resume=must`): neither a checkpoint nor a complete run; `--resume` alone starts \
             the run there",
            home::absolute(folder).display()
        )));
    }
    let stop = Stop::install()?;
    let trained = run(&resolved.config, &registry, bars, &stop);
    trained.map_err(|error| open::naming_path(&resolved, Failure::from(error).signalled(&stop)))
}

fn run(config: &Config, registry: &Registry, bars: &MultiProgress, stop: &Stop) -> Result<String, Error> {
    let stopped = || stop.requested().is_some();
    let services = HostServices::new(bars, &stopped);
    let mut run = Run::open(config, registry, &services, stop.clone())?;
    let Some((plan, steps_done)) = run.plan() else {
        return Ok(format!(
            "The run in {} is complete, all {} epochs are done. Nothing was changed.\n\n{}",
            run.folder().display(),
            run.record().epochs_done,
            report::final_report(run.record(), run.folder(), &[])
        ));
    };
    services.items("opening the run's folder", 0, None).map_err(PluginError::from)?;
    let mut recorder = Recorder::open(run.folder(), steps_done, bars, plan)?;
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
