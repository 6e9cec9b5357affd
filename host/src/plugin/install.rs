//! Puts a plugin file where every run finds it.

use super::registry::Conflict;
use super::{PluginFailure, Registry, SearchDir, digest, listing, manifest};
use crate::regular_file;
use selfsame_plugin_api::{Manifest, PluginError};
use std::fs::{self, Permissions};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A plugin that was copied into a folder.
#[derive(Debug)]
pub struct Installed {
    /// The copy.
    pub path: PathBuf,
    /// What it provides.
    pub manifest: Manifest,
    /// Name and version of the plugin that was replaced, or why that file could not be used.
    pub replaced: Option<String>,
}

/// Opens a plugin file, reads its cards, and copies it into `folder`, with its digest beside it; `force` replaces a file of
/// the same name.
///
/// # Errors
/// A file or a card that this host cannot use, a file of the same name that is there already, another installed file that
/// provides one of its names, or a folder that cannot be written.
pub fn install(file: &Path, folder: &Path, force: bool) -> Result<Installed, PluginFailure> {
    let unusable = |reason: String| PluginFailure::Unusable { path: file.to_owned(), reason };
    let named = file.file_name().filter(|_| file.extension().is_some_and(|extension| extension == "so"));
    let name = named.ok_or_else(|| unusable("only files whose names end in `.so` are looked for; rename it".into()))?;
    let inspection = listing::inspect(file)?;
    inspection.judge()?;
    let path = folder.join(name);
    ensure_own_names(&inspection.manifest, &path, folder)?;
    let replaced = path.exists().then(|| manifest::read(&path).map_or_else(|reason| reason, |old| label(&old)));
    copy(file, folder, &path, force, &inspection.sha256).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => PluginFailure::Occupied {
            path: path.clone(),
            installed: replaced.clone().unwrap_or_default(),
            new: label(&inspection.manifest),
        },
        _ => PluginFailure::Unusable { path: path.clone(), reason: format!("cannot be written: {error}") },
    })?;
    Ok(Installed { path, manifest: inspection.manifest, replaced })
}

/// Name and version.
pub(super) fn label(manifest: &Manifest) -> String {
    format!("{} {}", manifest.name, manifest.version)
}

/// Two files of one folder that provide the same name could not be used.
fn ensure_own_names(manifest: &Manifest, path: &Path, folder: &Path) -> Result<(), PluginFailure> {
    let installed = Registry::scan(&[SearchDir::new(folder, "installed")]);
    let others = installed.files().iter().filter(|other| other.path.file_name() != path.file_name());
    for other in others {
        let Ok(theirs) = &other.manifest else { continue };
        let shared = |ours: &[String], theirs: &[String]| ours.iter().find(|name| theirs.contains(name)).cloned();
        let name = shared(&manifest.datasets, &theirs.datasets).or(shared(&manifest.encoders, &theirs.encoders));
        if let Some(name) = name {
            return Err(PluginError::configuration(format!(
                "`{name}` is provided by {} already ({}); remove that with `selfsame plugins remove {}` first",
                other.path.display(),
                label(theirs),
                theirs.name
            ))
            .into());
        }
    }
    Ok(())
}

/// A running program keeps the file that it has opened: the copy is another one, moved into its place.
fn copy(file: &Path, folder: &Path, to: &Path, force: bool, sha256: &str) -> Result<(), Error> {
    fs::create_dir_all(folder)?;
    let unfinished =
        |mode| tempfile::Builder::new().prefix(".").permissions(Permissions::from_mode(mode)).tempfile_in(folder);
    let library = unfinished(0o755)?;
    std::io::copy(&mut regular_file::open(file)?, &mut library.as_file())?;
    library.as_file().sync_all()?;
    let mut beside = unfinished(0o644)?;
    beside.write_all(digest::line(sha256, to).as_bytes())?;
    let kept = if force { library.persist(to) } else { library.persist_noclobber(to) };
    kept.map_err(|error| error.error)?;
    // Killed in between, the old digest refuses the new file, which can be installed again.
    beside.persist(digest::beside(to)).map(drop).map_err(|error| error.error)
}

impl Installed {
    /// For people; with what stands in the way of its names in these folders.
    pub fn text(&self, searched: &[SearchDir]) -> String {
        let Manifest { datasets, encoders, .. } = &self.manifest;
        let provided =
            [("data sets", datasets), ("encoders", encoders)].into_iter().filter(|(_, names)| !names.is_empty());
        let mut lines: Vec<_> = provided.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
        lines.extend(self.replaced.iter().map(|old| format!("in place of: {old}")));
        let registry = Registry::scan(searched);
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let own = registry.files().iter().find(|file| file.path == path);
        if let Some(Conflict::Overruled { name, by }) = own.and_then(|file| registry.conflict(file)) {
            lines.push(format!("but `{name}` is that of {}, which is searched earlier", by.display()));
        }
        let lines: String = lines.iter().map(|line| format!("\n  {line}")).collect();
        format!("{} is installed as {}{lines}", label(&self.manifest), self.path.display())
    }
}
