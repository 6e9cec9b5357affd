use super::SearchDir;
use selfsame_plugin_api::{ErrorKind, PluginError};
use std::{fmt, path::PathBuf};

/// Why a plugin, or something that it should provide, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PluginFailure {
    /// The file is no plugin that this host can use.
    #[error("plugin file {}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// One sentence.
        reason: String,
    },
    /// A file that was named does not exist.
    #[error("plugin file {}: no such file", path.display())]
    Absent {
        /// As it was named.
        path: PathBuf,
    },
    /// A plugin of the same file name is installed.
    #[error("{} is there already ({installed}; this one is {new}); replace it with --force", path.display())]
    Occupied {
        /// The file that is there.
        path: PathBuf,
        /// Its plugin's name and version, or why it cannot be used.
        installed: String,
        /// Name and version of the plugin that was to be installed.
        new: String,
    },
    /// Another installed plugin provides the name.
    #[error(
        "`{name}` is provided by {} already ({installed}); remove that with `selfsame plugins remove {plugin}` first",
        path.display()
    )]
    Taken {
        /// The data set or encoder.
        name: String,
        /// The file that provides it.
        path: PathBuf,
        /// Its plugin's name and version.
        installed: String,
        /// Its plugin's name.
        plugin: String,
    },
    /// No plugin provides the name.
    #[error("{0}")]
    Unknown(Box<UnknownName>),
    /// Several plugins provide the name.
    #[error(
        "the {what} `{name}` is provided by {} and by {}; remove one of the files, or search other folders",
        first.display(), second.display()
    )]
    Ambiguous {
        /// `data set`, `encoder`, or `name` for any of them.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The file that comes first in the search path.
        first: PathBuf,
        /// Another file.
        second: PathBuf,
    },
    /// An error that says itself whose mistake it is. A plugin's own, which also stands for a panic and a broken contract,
    /// names plugin and name.
    #[error("{0}")]
    Failed(PluginError),
}

impl PluginFailure {
    /// Whose mistake it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            PluginFailure::Failed(error) => error.kind,
            // The name is a value that the user wrote; the message also says which files could not be used.
            PluginFailure::Unknown(_)
            | PluginFailure::Absent { .. }
            | PluginFailure::Occupied { .. }
            | PluginFailure::Taken { .. } => ErrorKind::Configuration,
            PluginFailure::Unusable { .. } | PluginFailure::Ambiguous { .. } => ErrorKind::Plugin,
        }
    }
}

impl From<PluginError> for PluginFailure {
    fn from(error: PluginError) -> Self {
        PluginFailure::Failed(error)
    }
}

/// A name that no usable plugin provides, with all that helps to find out why.
#[derive(Debug)]
pub struct UnknownName {
    /// `data set`, `encoder`, or `name` for any of them.
    pub what: &'static str,
    /// The name asked for.
    pub name: String,
    /// The most similar known name.
    pub nearest: Option<String>,
    /// All known names.
    pub available: Vec<String>,
    /// Where plugins were looked for.
    pub searched: Vec<SearchDir>,
    /// Files that cannot be used, and why.
    pub unusable: Vec<(PathBuf, String)>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, .. } = self;
        write!(f, "no plugin provides the {what} `{name}`")?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        let available = if self.available.is_empty() { "none".to_owned() } else { self.available.join(", ") };
        write!(f, "\n  available {what}s: {available}\n  searched:")?;
        for dir in &self.searched {
            write!(f, "\n    {dir}")?;
        }
        if !self.unusable.is_empty() {
            f.write_str("\n  unusable files:")?;
            for (path, reason) in &self.unusable {
                write!(f, "\n    {}: {reason}", path.display())?;
            }
        }
        Ok(())
    }
}
