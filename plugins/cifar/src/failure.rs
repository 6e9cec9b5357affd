//! Files that are wrong, as against work that could not be done.

use selfsame_plugin_api::{Cancelled, PluginError};

/// Why files could not be made ready.
#[derive(Debug)]
pub enum Failure {
    /// Their content is not what it should be; fetching them again may help.
    Content(String),
    /// Anything else: cancelled, disk full, no permission.
    Other(PluginError),
}

impl Failure {
    /// As an error for the user, with what to do about wrong content.
    pub fn advise(self, remedy: &str) -> PluginError {
        match self {
            Failure::Content(message) => PluginError::data(format!("{message}; {remedy}")),
            Failure::Other(error) => error,
        }
    }
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Failure::Other(error)
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Failure::Other(cancelled.into())
    }
}
