//! Puts a plugin file where every run finds it.

use super::{PluginFailure, listing};
use crate::regular_file;
use selfsame_plugin_api::Manifest;
use std::fs::{self, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A plugin that was copied into a folder.
#[derive(Debug)]
pub struct Installed {
    /// The copy.
    pub path: PathBuf,
    /// What it provides.
    pub manifest: Manifest,
}

/// Opens a plugin file, reads its cards, and copies it into `folder` in one step; `force` replaces a file of the same
/// name.
///
/// # Errors
/// A file or a card that this host cannot use, a file of the same name that is there already, or a folder that cannot be
/// written.
pub fn install(file: &Path, folder: &Path, force: bool) -> Result<Installed, PluginFailure> {
    let unusable = |reason: String| PluginFailure::Unusable { path: file.to_owned(), reason };
    let named = file.file_name().filter(|_| file.extension().is_some_and(|extension| extension == "so"));
    let name = named.ok_or_else(|| unusable("only files whose names end in `.so` are looked for; rename it".into()))?;
    let inspection = listing::inspect(file)?;
    inspection.judge()?;
    let path = folder.join(name);
    copy(file, folder, &path, force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => PluginFailure::Occupied { path: path.clone() },
        _ => PluginFailure::Unusable { path: path.clone(), reason: format!("cannot be written: {error}") },
    })?;
    Ok(Installed { path, manifest: inspection.manifest })
}

/// A running program keeps the file that it has opened: the copy is another one, moved into its place.
fn copy(file: &Path, folder: &Path, to: &Path, force: bool) -> Result<(), Error> {
    fs::create_dir_all(folder)?;
    let unfinished =
        tempfile::Builder::new().prefix(".").permissions(Permissions::from_mode(0o755)).tempfile_in(folder)?;
    std::io::copy(&mut regular_file::open(file)?, &mut unfinished.as_file())?;
    unfinished.as_file().sync_all()?;
    let kept = if force { unfinished.persist(to) } else { unfinished.persist_noclobber(to) };
    kept.map(drop).map_err(|error| error.error)
}

impl Installed {
    /// For people.
    pub fn text(&self) -> String {
        let Manifest { name, version, datasets, encoders, .. } = &self.manifest;
        let provided =
            [("data sets", datasets), ("encoders", encoders)].into_iter().filter(|(_, names)| !names.is_empty());
        let lines = provided.map(|(what, names)| format!("\n  {what}: {}", names.join(", ")));
        format!("{name} {version} is installed as {}{}", self.path.display(), lines.collect::<String>())
    }
}
