//! Folders read in the order of names, and names listed in messages.

use selfsame_plugin_api::{PluginError, Result, Services};
use std::fs;
use std::path::{Path, PathBuf};

/// Deepest folder below the data set's that is looked into.
const DEPTH: usize = 32;

/// `could not read PATH: …`.
pub fn unreadable(path: &Path, error: &std::io::Error) -> PluginError {
    PluginError::data(format!("could not read {}: {error}", path.display()))
}

/// The entries of a folder in the order of their names, hidden ones left out.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let wrong = |error| unreadable(folder, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// All files below a folder, in the order of their paths, and how many pipes, sockets and devices are there, which
/// nothing is read from.
pub fn files(root: &Path, services: &dyn Services) -> Result<(Vec<PathBuf>, usize)> {
    let (mut files, mut others) = (Vec::new(), 0);
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        services.progress(&format!("looking for files in {}", root.display()), files.len() as u64, None)?;
        for path in entries(&folder)? {
            // A link to nothing is a file that cannot be read, and is said to be so.
            let is_file = path.metadata().map_or(true, |facts| facts.is_file());
            if is_file {
                files.push(path);
            } else if !path.is_dir() {
                others += 1;
            } else if depth < DEPTH {
                folders.push((path, depth + 1));
            } else {
                let message = format!("{}: folders are nested more than {DEPTH} deep", path.display());
                return Err(PluginError::data(message));
            }
        }
    }
    files.sort();
    Ok((files, others))
}

/// `3 (a, b, …)`: how many, and the first few by name.
pub fn few<T: std::fmt::Display>(names: &[T]) -> String {
    let first: Vec<_> = names.iter().take(5).map(ToString::to_string).collect();
    let more = if names.len() > first.len() { ", …" } else { "" };
    format!("{} ({}{more})", names.len(), first.join(", "))
}
