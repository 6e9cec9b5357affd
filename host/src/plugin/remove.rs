//! Takes an installed plugin away.

use super::{PluginFailure, Provided, Registry, ScannedFile, SearchDir, digest};
use selfsame_plugin_api::PluginError;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Removes the plugin file in `folder` that has this file name, or provides the plugin, data set or encoder of this name, and
/// returns what was removed, for people. Of a file that links lead to, the links in the folder are removed, and the file only
/// where it lies there itself.
///
/// # Errors
/// A name that no file or several files have, and files that cannot be removed.
pub fn remove(name: &str, folder: &Path) -> Result<String, PluginFailure> {
    let installed = Registry::scan(&[SearchDir::new(folder, "installed")]);
    let of_name =
        |file: &&ScannedFile| entries_of(file, folder).iter().any(|entry| entry.file_name() == Some(name.as_ref()));
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
                "; nothing is installed there; `selfsame plugins list` shows plugins of other folders, which are removed as files"
                    .into()
            } else {
                format!("; name one of these:{}", list(&all))
            };
            let message = format!("no plugin in {} is or provides `{name}`{all}", folder.display());
            return Err(PluginError::configuration(message).into());
        }
        several => {
            let message = format!(
                "several plugins provide `{name}`; name one of these by its file, such as `libname.so`:{}",
                list(several)
            );
            return Err(PluginError::configuration(message).into());
        }
    };
    let unremovable = |error: io::Error| PluginFailure::Unusable {
        path: file.path.clone(),
        reason: format!(
            "cannot be removed: {error}; you must be allowed to write to {}, or remove the file by hand",
            folder.display()
        ),
    };
    let entries = entries_of(file, folder);
    for entry in &entries {
        fs::remove_file(entry).map_err(unremovable)?;
        match fs::remove_file(digest::beside(entry)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unremovable(error)),
            _ => {}
        }
    }
    let removed: Vec<_> = entries.iter().map(|entry| entry.display().to_string()).collect();
    let kept =
        if file.path.exists() { format!("; {} stays, a link led to it", file.path.display()) } else { String::new() };
    Ok(format!("{} is removed ({}){kept}", removed.join(", "), provided(file)))
}

/// The names in the folder that lead to the file: its own, and links.
fn entries_of(file: &ScannedFile, folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter(|path| path.canonicalize().unwrap_or_else(|_| path.clone()) == file.path).collect()
}

fn provided(file: &ScannedFile) -> String {
    file.provided.as_ref().map_or_else(Clone::clone, Provided::label)
}
