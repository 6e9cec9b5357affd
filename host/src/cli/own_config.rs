//! A run's own `config.yaml` on the command line means the run that it lies in, wherever that was moved or copied to.

use super::failure::Failure;
use crate::config::{Origin, Resolved};
use crate::home;
use crate::run::files::CONFIG_FILE;
use crate::run::traces::holds_run;
use std::path::{Path, PathBuf};

const FOLDER: &str = "train.output_dir";
const RESUME: &str = "train.resume_from_last_checkpoint";

/// The folder of the run that this file is the configuration of; none for any other file.
fn run_of(file: &Path) -> Option<PathBuf> {
    let names = [Some(file.to_owned()), file.canonicalize().ok()];
    names.into_iter().flatten().find_map(|name| {
        let folder = match name.parent()? {
            parent if parent == Path::new("") => Path::new("."),
            parent => parent,
        };
        (name.file_name()? == CONFIG_FILE && holds_run(folder)).then(|| folder.to_owned())
    })
}

/// The own file of the run in this folder.
///
/// # Errors
/// A folder that is not there, and one without such a file.
pub(super) fn of_run(folder: &Path) -> Result<PathBuf, Failure> {
    let (file, shown) = (folder.join(CONFIG_FILE), home::absolute(folder));
    match (file.exists(), folder.is_dir()) {
        (true, _) => Ok(file),
        (false, true) => Err(Failure::usage(format!(
            "{} holds no {CONFIG_FILE}, so no run can be continued by it; put the file back, or name the run's configuration: \
             `--config FILE --output-dir {0} --resume`",
            shown.display()
        ))),
        (false, false) => {
            Err(Failure::usage(format!("{}: there is no such folder, so there is no run to continue", shown.display())))
        }
    }
}

/// The run whose own file sets `key`.
fn set_by_run(resolved: &Resolved, key: &str) -> Option<PathBuf> {
    match resolved.origins.get(key) {
        Some(Origin::File { path, .. }) => run_of(path),
        _ => None,
    }
}

/// The folder that a run's own file names is the one where the run was; the file's own counts. That the run was continued
/// once is no wish to continue another.
pub(super) fn settle(resolved: &mut Resolved) {
    let (folder, resumed) = (set_by_run(resolved, FOLDER), set_by_run(resolved, RESUME));
    let train = &mut resolved.config.train;
    match folder {
        Some(folder) => train.output_dir = folder,
        None if resumed.is_some() => train.resume_from_last_checkpoint = false,
        None => {}
    }
}

/// Refuses to guess which of two runs is to be continued: the one whose own file was given, or the one in another folder.
///
/// # Errors
/// Names both.
pub(super) fn ensure_one_run(resolved: &Resolved, files: &[PathBuf]) -> Result<(), Failure> {
    let train = &resolved.config.train;
    if !train.resume_from_last_checkpoint {
        return Ok(());
    }
    for file in files {
        let Some(run) = run_of(file).filter(|run| !is_same(run, &train.output_dir)) else { continue };
        let named = resolved.origins.get(FOLDER).map(Origin::to_string).unwrap_or_default();
        return Err(Failure::usage(format!(
            "{} belongs to the run in {}, and {named} names {}: it is not clear which run is to be continued. Without a folder, \
             the run of that file goes on where it lies; the run in {2} goes on with a configuration of its own; without \
             --resume, a new run starts in a new folder",
            file.display(),
            run.display(),
            train.output_dir.display()
        )));
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().ok().is_some_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
