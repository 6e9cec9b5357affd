//! Which file a name stands for.

use super::registry::Registry;
use super::scanned::{Kind, ScannedFile};
use super::{PluginFailure, UnknownName, trust};
use crate::storage::sha256_of_file;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// Why a name of a plugin file does not stand for what the file provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict<'a> {
    /// The name is that of a file that is searched earlier.
    Overruled {
        /// The data set or encoder.
        name: &'a str,
        /// The other file.
        by: &'a Path,
    },
    /// A file of the same folder provides it too: the name cannot be used.
    Ambiguous {
        /// The data set or encoder.
        name: &'a str,
        /// The other file.
        with: &'a Path,
    },
}

impl Registry {
    /// `wanted` where it is a path, and otherwise the file of the data set, encoder or plugin that has this name.
    ///
    /// # Errors
    /// An unknown or ambiguous name, and as [`Registry::dataset_card`] a file that others can write to.
    pub fn locate(&self, wanted: &Path) -> Result<PathBuf, PluginFailure> {
        let looks_like_a_path =
            wanted.components().count() != 1 || wanted.extension().is_some_and(|end| end == "so" || end == "yaml");
        match wanted.to_str() {
            Some(name) if !looks_like_a_path && !wanted.is_file() => Ok(self.find(Kind::Any, name)?.path.clone()),
            _ => Ok(wanted.to_owned()),
        }
    }

    /// The file that provides a name: that of the folder which is searched first. What is passed over for it is told of:
    /// files that cannot be used, and other providers; copies do not count.
    pub(super) fn find(&self, kind: Kind, name: &str) -> Result<&ScannedFile, PluginFailure> {
        let mut providers = self.files.iter().filter(|file| file.provides(kind, name));
        let Some(first) = providers.next() else { return Err(self.unknown(kind, name)) };
        self.tell_of_unusable(first, kind, name);
        let Some(second) = providers.find(|file| !same_content(&first.path, &file.path)) else {
            return Ok(first);
        };
        if second.folder == first.folder {
            let (first, second) = (first.path.clone(), second.path.clone());
            return Err(PluginFailure::Ambiguous { what: kind.what(), name: name.to_owned(), first, second });
        }
        let folder = &self.searched[first.folder];
        if folder.is_here() {
            trust::ensure_own(&first.path, &folder.path).map_err(|reason| PluginFailure::Unusable {
                path: first.path.clone(),
                reason: format!(
                    "{reason}, and it stands in place of {} for the {} `{name}`; take the permission away, remove the file, \
                     or name its folder with --plugins",
                    second.path.display(),
                    kind.what()
                ),
            })?;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(second.path.clone()) {
            tracing::warn!(
                "the {} `{name}` is that of {} ({}), not of {} ({}), which is searched later; name the folder to search first \
                 with --plugins, or remove one of the files",
                kind.what(),
                first.path.display(),
                folder.origin,
                second.path.display(),
                self.searched[second.folder].origin
            );
        }
        Ok(first)
    }

    /// Warns, once, of each file that cannot be used and that would come before `found`, or be ambiguous with it, should it
    /// provide the same name: what a file that cannot be read provides, nobody knows.
    fn tell_of_unusable(&self, found: &ScannedFile, kind: Kind, name: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for file in self.files.iter().filter(|file| file.folder <= found.folder) {
            let Err(reason) = &file.provided else { continue };
            if told.insert(file.path.clone()) {
                tracing::warn!(
                    "plugin file {} is passed over: {reason}; the {} `{name}` is that of {}",
                    file.path.display(),
                    kind.what(),
                    found.path.display()
                );
            }
        }
    }

    /// The first data set or encoder of `file` whose name stands for another file's, or for none.
    pub fn conflict<'a>(&'a self, file: &'a ScannedFile) -> Option<Conflict<'a>> {
        let provided = file.provided.as_ref().ok()?;
        let names = |kind: Kind| kind.names(provided).map(move |name| (kind, name));
        names(Kind::Dataset).chain(names(Kind::Encoder)).find_map(|(kind, name)| {
            let first = self.files.iter().find(|other| other.provides(kind, name))?;
            let is_first = same_content(&first.path, &file.path);
            let rivals = || self.files.iter().filter(|other| other.provides(kind, name));
            let rival = rivals().find(|other| !same_content(&first.path, &other.path))?;
            if rival.folder == first.folder && file.folder == first.folder {
                return Some(Conflict::Ambiguous { name, with: if is_first { &rival.path } else { &first.path } });
            }
            (!is_first).then_some(Conflict::Overruled { name, by: &first.path })
        })
    }

    /// The files that provide a data set, an encoder or a plugin of this name.
    pub(super) fn providers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ScannedFile> {
        self.files.iter().filter(move |file| file.provides(Kind::Any, name))
    }

    fn unknown(&self, kind: Kind, name: &str) -> PluginFailure {
        let usable = self.files.iter().filter_map(|file| file.provided.as_ref().ok());
        let mut available: Vec<_> = usable.flat_map(|provided| kind.names(provided)).map(str::to_owned).collect();
        available.sort();
        available.dedup();
        let likeness =
            |known: &String| strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase());
        let nearest = available.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let unusable = |file: &ScannedFile| Some((file.path.clone(), file.provided.as_ref().err()?.clone()));
        PluginFailure::Unknown(Box::new(UnknownName {
            what: kind.what(),
            name: name.to_owned(),
            nearest: nearest.filter(|known| likeness(known) > 0.6).cloned(),
            searched: self.searched.clone(),
            unusable: self.files.iter().filter_map(unusable).collect(),
            available,
        }))
    }
}

/// Whether two files are copies of each other.
fn same_content(a: &Path, b: &Path) -> bool {
    let size = |path: &Path| std::fs::metadata(path).map(|data| data.len()).ok();
    size(a) == size(b) && sha256_of_file(a).ok() == sha256_of_file(b).ok()
}
