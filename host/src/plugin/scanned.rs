//! The files of a search path and the names in them.

use super::{Provided, SearchDir, trust};
use std::path::PathBuf;

/// A file of the search path and what it says that it provides.
#[derive(Debug)]
pub struct ScannedFile {
    /// Canonical path.
    pub path: PathBuf,
    /// What it provides, or why it cannot be used.
    pub provided: Result<Provided, String>,
    /// Who else can change it, as the beginning of a sentence; none: nobody but root.
    pub others: Option<String>,
    /// Which folder of the search path it is of.
    pub(super) folder: usize,
}

impl ScannedFile {
    pub(super) fn read(path: PathBuf, folder: usize, searched: &SearchDir) -> Self {
        let read = Provided::read(&path).and_then(|read| Ok((read, trust::judge(&path, &searched.path)?)));
        let (provided, others) = match read {
            Ok((provided, others)) => (Ok(provided), others),
            Err(reason) => (Err(reason), None),
        };
        Self { path, provided, others, folder }
    }

    pub(super) fn provides(&self, kind: Kind, name: &str) -> bool {
        self.provided.as_ref().is_ok_and(|provided| kind.names(provided).any(|known| known == name))
    }
}

/// What a name is asked for as.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Dataset,
    Encoder,
    /// A data set, an encoder or a plugin.
    Any,
}

impl Kind {
    /// For messages.
    pub(super) fn what(self) -> &'static str {
        match self {
            Kind::Dataset => "data set",
            Kind::Encoder => "encoder",
            Kind::Any => "name",
        }
    }

    /// The names of this kind in a file.
    pub(super) fn names(self, provided: &Provided) -> impl Iterator<Item = &str> {
        let (datasets, encoders) = (provided.datasets(), provided.encoders());
        let (datasets, encoders, name): (&[String], &[String], _) = match self {
            Kind::Dataset => (datasets, &[], None),
            Kind::Encoder => (&[], encoders, None),
            Kind::Any => (datasets, encoders, Some(provided.name())),
        };
        datasets.iter().chain(encoders).map(String::as_str).chain(name)
    }
}
