//! Puts a plugin file where every run finds it.

use super::{Conflict, PluginFailure, Provided, Registry, SearchDir, description, digest, listing};
use crate::regular_file;
use crate::storage::sha256_of_bytes;
use std::fs::{self, Permissions};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A plugin that was copied into a folder.
#[derive(Debug)]
pub struct Installed {
    /// The copy.
    pub path: PathBuf,
    /// What it provides.
    pub provided: Provided,
    /// Name and version of the plugin that was replaced, or why that file could not be used.
    pub replaced: Option<String>,
}

/// Opens a plugin file, reads its cards, and copies it into `folder`, with its digest beside it; `force` replaces a file of
/// the same name. The reader of a data set without code is a plugin in `dirs`; its folder is written from the root, since the
/// copy lies elsewhere.
///
/// # Errors
/// A file or a card that this host cannot use, a file of the same name that is there already, another installed file that
/// provides one of its names, or a folder that cannot be written.
pub fn install(file: &Path, folder: &Path, force: bool, dirs: &[SearchDir]) -> Result<Installed, PluginFailure> {
    let unusable = |reason: String| PluginFailure::Unusable { path: file.to_owned(), reason };
    let is_library = file.extension().is_some_and(|extension| extension == "so");
    let named = file.file_name().filter(|_| is_library || description::is_named_so(file));
    let message = "only files whose names end in `.so` or `.dataset.yaml` are looked for; rename it";
    let name = named.ok_or_else(|| unusable(message.into()))?;
    let inspection = listing::inspect(file, dirs)?;
    inspection.judge()?;
    let path = folder.join(name);
    ensure_own_names(&inspection.provided, &path, folder)?;
    let replaced =
        path.exists().then(|| Provided::read(&path).map_or_else(|reason| reason, |old| Provided::label(&old)));
    let moved = match &inspection.provided {
        Provided::Library(_) => None,
        Provided::Description(description) => Some(description.relocatable()?),
    };
    let copied = match &moved {
        None => regular_file::open(file).and_then(|file| copy(file, folder, &path, force, &inspection.sha256)),
        Some(text) => copy(text.as_bytes(), folder, &path, force, &sha256_of_bytes(text.as_bytes())),
    };
    copied.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => PluginFailure::Occupied {
            path: path.clone(),
            installed: replaced.clone().unwrap_or_default(),
            new: inspection.provided.label(),
        },
        _ => PluginFailure::Unusable { path: path.clone(), reason: format!("cannot be written: {error}") },
    })?;
    Ok(Installed { path, provided: inspection.provided, replaced })
}

/// Two files of one folder that provide the same name could not be used.
fn ensure_own_names(ours: &Provided, path: &Path, folder: &Path) -> Result<(), PluginFailure> {
    let installed = Registry::scan(&[SearchDir::new(folder, "installed")]);
    let others = installed.files().iter().filter(|other| other.path.file_name() != path.file_name());
    for other in others {
        let Ok(theirs) = &other.provided else { continue };
        let shared = |ours: &[String], theirs: &[String]| ours.iter().find(|name| theirs.contains(name)).cloned();
        let name = shared(ours.datasets(), theirs.datasets()).or(shared(ours.encoders(), theirs.encoders()));
        if let Some(name) = name {
            return Err(PluginFailure::Taken {
                name,
                path: other.path.clone(),
                installed: theirs.label(),
                plugin: theirs.name().to_owned(),
            });
        }
    }
    Ok(())
}

/// A running program keeps the file that it has opened: the copy is another one, moved into its place.
fn copy(mut content: impl Read, folder: &Path, to: &Path, force: bool, sha256: &str) -> Result<(), Error> {
    fs::create_dir_all(folder)?;
    let unfinished =
        |mode| tempfile::Builder::new().prefix(".").permissions(Permissions::from_mode(mode)).tempfile_in(folder);
    let library = unfinished(0o755)?;
    std::io::copy(&mut content, &mut library.as_file())?;
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
        let (datasets, encoders) = (self.provided.datasets(), self.provided.encoders());
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
        format!("{} is installed as {}{lines}", self.provided.label(), self.path.display())
    }
}
