//! What the host offers to a plugin while a call runs.

use crate::{ErrorKind, PluginError};

/// The user asked to stop; return this with `?` and the host ends cleanly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

impl From<Cancelled> for PluginError {
    fn from(_: Cancelled) -> Self {
        PluginError { kind: ErrorKind::Cancelled, message: "stopped at the user's request".into() }
    }
}

/// Host services handed to long calls. Log with `tracing`: events reach the host's log.
pub trait Services: Send + Sync {
    /// Reports `done` of `total` units (bytes or items, as `what` says) and asks whether to go on.
    ///
    /// Call it at least every second of work: a long silent call is reported to the user by name.
    ///
    /// # Errors
    /// [`Cancelled`] when the user asked to stop.
    fn progress(&self, what: &str, done: u64, total: Option<u64>) -> std::result::Result<(), Cancelled>;

    /// The same for things that are counted, such as files: shown with their number a second.
    ///
    /// # Errors
    /// [`Cancelled`] when the user asked to stop.
    fn items(&self, what: &str, done: u64, total: Option<u64>) -> std::result::Result<(), Cancelled> {
        self.progress(what, done, total)
    }
}
