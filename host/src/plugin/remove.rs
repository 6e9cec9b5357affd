//! Takes an installed plugin away.

use super::{PluginFailure, Provided, Registry, ScannedFile, SearchDir, digest};
use selfsame_plugin_api::PluginError;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Removes the plugin file in `folder` that has this file name, or provides the plugin, data set or encoder of this name, and
/// returns what was removed, for people.
///
/// # Errors
/// A name that no file or several files have, and files that cannot be removed.
pub fn remove(name: &str, folder: &Path) -> Result<String, PluginFailure> {
    let installed = Registry::scan(&[SearchDir::new(folder, "installed")]);
    let of_name = |file: &&ScannedFile| file.path.file_name().is_some_and(|own| own == name);
    let mut found: Vec<_> = installed.files().iter().filter(of_name).collect();
    if found.is_empty() {
        found = installed.providers(name).collect();
    }
    let list = |files: &[&ScannedFile]| {
        let line = |file: &&ScannedFile| format!("\n  {}: {}", file.path.display(), provided(file));
        files.iter().map(line).collect::<String>()
    };
    let file = match found.as_slice() {
        [file] => *file,
        [] => {
            let all: Vec<_> = installed.files().iter().collect();
            let all = if all.is_empty() {
                "; nothing is installed there".into()
            } else {
                format!("; there are:{}", list(&all))
            };
            let message = format!("no plugin in {} is or provides `{name}`{all}", folder.display());
            return Err(PluginError::configuration(message).into());
        }
        several => {
            let message = format!("several plugins provide `{name}`; name one file:{}", list(several));
            return Err(PluginError::configuration(message).into());
        }
    };
    let unremovable = |error: io::Error| PluginFailure::Unusable {
        path: file.path.clone(),
        reason: format!("cannot be removed: {error}"),
    };
    let entry = entry_of(file, folder).map_err(unremovable)?;
    fs::remove_file(&entry).map_err(unremovable)?;
    match fs::remove_file(digest::beside(&entry)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unremovable(error)),
        _ => Ok(format!("{} is removed ({})", entry.display(), provided(file))),
    }
}

/// The name in the folder that leads to the file: where that is a link, the link is what is installed.
fn entry_of(file: &ScannedFile, folder: &Path) -> io::Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.canonicalize().unwrap_or_else(|_| path.clone()) == file.path {
            return Ok(path);
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound))
}

fn provided(file: &ScannedFile) -> String {
    file.provided.as_ref().map_or_else(Clone::clone, Provided::label)
}
