//! Finds runs below a folder.

use super::RunSummary;
use crate::error::Error;
use crate::run::files::RUN_FILE;
use crate::storage::Naming;
use std::fs;
use std::path::Path;

/// The runs below a folder, itself included, named by their paths from there; in no order. What cannot be read is told of and
/// left out; hidden folders, and what lies in a run's folder or behind a link, are not looked into.
///
/// # Errors
/// A folder that cannot be listed, or without any run.
pub fn below(folder: &Path) -> Result<Vec<RunSummary>, Error> {
    fs::read_dir(folder).naming("list", folder)?;
    let mut runs = Vec::new();
    walk(folder, "", &mut runs);
    if runs.is_empty() {
        let message = "holds no run, nor does a folder below it; name the folder that your runs' `--output-dir` are in";
        return Err(Error::data(format!("{} {message}", folder.display())));
    }
    Ok(runs)
}

fn walk(folder: &Path, name: &str, runs: &mut Vec<RunSummary>) {
    if folder.join(RUN_FILE).exists() {
        match RunSummary::read(folder, if name.is_empty() { ".".into() } else { name.into() }) {
            Ok(run) => runs.push(run),
            Err(error) => tracing::warn!("{} is left out: {error}", folder.display()),
        }
        return;
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten(),
        Err(error) => return tracing::warn!("{} is left out: it cannot be listed: {error}", folder.display()),
    };
    for entry in entries {
        let own = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if own.starts_with('.') || !path.is_dir() || (is_link && !path.join(RUN_FILE).exists()) {
            continue;
        }
        walk(&path, &if name.is_empty() { own } else { format!("{name}/{own}") }, runs);
    }
}
