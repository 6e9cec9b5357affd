//! Folders read in the order of names, and names listed in messages.

use selfsame_plugin_api::{PluginError, Result, Services};
use selfsame_tables::files::Links;
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

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Listing {
    /// All files, in the order of their paths.
    pub files: Vec<PathBuf>,
    /// Pipes, sockets and devices, which nothing is read from.
    pub others: usize,
}

/// Looks through a folder; links are followed, and a warning names those that make files count twice.
///
/// # Errors
/// Folders that cannot be read, are nested too deep, or are links that lead in a circle.
pub fn files(root: &Path, services: &dyn Services) -> Result<Listing> {
    let mut found = Listing::default();
    let mut links = Links::below(root);
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        services.progress(&format!("looking for files in {}", root.display()), found.files.len() as u64, None)?;
        for path in entries(&folder)? {
            links.look_at(&path);
            // A link to nothing is a file that cannot be read, and is said to be so.
            let is_file = path.metadata().map_or(true, |facts| facts.is_file());
            if is_file {
                found.files.push(path);
            } else if !path.is_dir() {
                found.others += 1;
            } else if leads_back(&folder, &path) {
                let message = format!("the link {} leads in a circle; remove it", path.display());
                return Err(PluginError::data(message));
            } else if depth < DEPTH {
                folders.push((path, depth + 1));
            } else {
                let message = format!("{}: folders are nested more than {DEPTH} deep", path.display());
                return Err(PluginError::data(message));
            }
        }
    }
    if let Some(message) = links.doubled() {
        tracing::warn!("{message}");
    }
    found.files.sort();
    Ok(found)
}

/// Whether a folder is a link to the one that holds it or to one of those that hold that.
fn leads_back(folder: &Path, path: &Path) -> bool {
    let ends = folder.canonicalize().and_then(|folder| Ok((folder, path.canonicalize()?)));
    path.is_symlink() && ends.is_ok_and(|(folder, target)| folder.starts_with(target))
}

/// `3 (a, b, …)`: how many, and the first few by name.
pub fn few<T: std::fmt::Display>(names: &[T]) -> String {
    let first: Vec<_> = names.iter().take(5).map(ToString::to_string).collect();
    let more = if names.len() > first.len() { ", …" } else { "" };
    format!("{} ({}{more})", names.len(), first.join(", "))
}
