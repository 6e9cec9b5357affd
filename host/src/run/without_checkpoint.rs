//! What `--resume` does in a folder that has no checkpoint to continue from: it replaces nothing of a run.

use super::files::{CONFIG_FILE, ENCODER_FILE};
use super::metrics::{self, Record};
use super::record::{RunRecord, RunStatus};
use super::{checkpoint, resume_check, traces};
use crate::config::{self, Config, Sources};
use crate::error::Error;
use std::path::Path;

/// Whether `--resume` has something to go on from: a checkpoint, whole or not, or a run that is complete.
///
/// # Errors
/// A record that cannot be read.
pub fn can_go_on(run: &Path) -> Result<bool, Error> {
    let is_complete = |record: RunRecord| record.status == RunStatus::Completed;
    Ok(has_checkpoint(run) || RunRecord::find(run)?.is_some_and(is_complete))
}

/// The record of a run that is complete; none: there is nothing to lose, and the run may start anew.
///
/// # Errors
/// A folder with something of a run that cannot be continued.
pub fn complete_run(run: &Path, config: &Config) -> Result<Option<RunRecord>, Error> {
    ensure_none_is_damaged(run)?;
    let record = match RunRecord::find(run)? {
        Some(record) => record,
        None if traces::holds_run(run) => {
            return Err(lost(run, "what is left of a run, but neither its run.json nor a checkpoint"));
        }
        None => {
            tracing::info!("nothing to resume in {}; starting anew", run.display());
            return Ok(None);
        }
    };
    let saved = config::load(&Sources { files: vec![run.join(CONFIG_FILE)], ..Sources::default() })?.config;
    if record.status == RunStatus::Completed {
        ensure_this_run(run, &record, &saved, config)?;
        return Ok(Some(record));
    }
    let (done, epochs) = (record.epochs_done, record.epochs);
    if run.join(ENCODER_FILE).exists() || had_checkpoint(run, &record, &saved, &metrics::read(run)?) {
        return Err(lost(
            run,
            &format!("a run that is not complete ({done} of {epochs} epochs recorded), but no checkpoint"),
        ));
    }
    resume_check::compare(&saved, config)?;
    tracing::info!("the run in {} ended before its first checkpoint; starting anew", run.display());
    Ok(None)
}

/// A complete run needs no checkpoint any more, where nothing else than this run is asked for.
fn ensure_this_run(run: &Path, record: &RunRecord, saved: &Config, config: &Config) -> Result<(), Error> {
    let (done, wanted) = (record.epochs_done, config.scheduler.epochs);
    if wanted != record.epochs {
        return Err(lost(
            run,
            &format!("a complete run of {done} epochs, but no checkpoint to go on to {wanted} from"),
        ));
    }
    resume_check::compare(saved, config)
}

/// Whether the run has had a checkpoint that is missing now. A run that was killed has measured nothing after the step
/// of its first one.
fn had_checkpoint(run: &Path, record: &RunRecord, saved: &Config, lines: &[Record]) -> bool {
    let every = saved.train.checkpoint_every_steps;
    let epoch = lines.iter().find(|line| line.event == "epoch").map(|line| line.step);
    let first = epoch.into_iter().chain((every > 0).then_some(every)).min();
    let last = lines.iter().map(|line| line.step).max().unwrap_or(0);
    let is_saved = record.status == RunStatus::Interrupted || !run.join(checkpoint::CHECKPOINTS_DIR).exists();
    record.epochs_done > 0 || first.is_some_and(|first| last > first) || (last > 0 && is_saved)
}

fn lost(run: &Path, what: &str) -> Error {
    Error::configuration(format!(
        "{} holds {what}: it cannot be continued, and nothing was changed. Put its files back from a copy, or start another \
         run with `--output-dir`; to give it up, remove the folder",
        run.display()
    ))
}

fn ensure_none_is_damaged(run: &Path) -> Result<(), Error> {
    match has_checkpoint(run) {
        true => Err(Error::data(format!(
            "no checkpoint in {} is intact, so the run cannot be continued; restore one from a copy, or start another run \
             with `--output-dir`",
            run.join(checkpoint::CHECKPOINTS_DIR).display()
        ))),
        false => Ok(()),
    }
}

fn has_checkpoint(run: &Path) -> bool {
    let is_checkpoint = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("step-");
    std::fs::read_dir(run.join(checkpoint::CHECKPOINTS_DIR)).is_ok_and(|entries| entries.flatten().any(is_checkpoint))
}
