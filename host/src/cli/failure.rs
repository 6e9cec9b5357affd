//! Every error of every stage as one message and one exit code.

use crate::config::ConfigError;
use crate::plugin::PluginFailure;
use crate::plugin::skeleton::SkeletonError;
use crate::train::TrainError;
use selfsame_plugin_api::ErrorKind;
use std::io::Write;

/// What ends a command: a message for standard error and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// Names the thing, says what was expected and what to do.
    pub message: String,
    /// One of the codes in the module's documentation.
    pub code: u8,
}

impl Failure {
    /// A mistake in what the user wrote.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// Files that are missing, damaged or cannot be written.
    pub fn data(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 3 }
    }

    /// By whose mistake it is.
    pub fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        let code = match kind {
            ErrorKind::Configuration => 2,
            ErrorKind::Data => 3,
            ErrorKind::Plugin => 4,
            ErrorKind::Device => 5,
            ErrorKind::Cancelled => 130,
        };
        Self { message: message.into(), code }
    }

    /// A panic of libtorch or of this program, as a message.
    pub fn panicked(message: &str, place: &str) -> Self {
        let message = message.split("\nException raised from").next().unwrap_or(message);
        if message.contains("out of memory") || message.contains("can't allocate memory") {
            let advice = "lower `train.batch_size`, or choose a smaller encoder or image size";
            return Self { message: format!("out of memory: {message}; {advice}"), code: 5 };
        }
        Self {
            message: format!("internal error: {message} ({place}). Please report it with the command line"),
            code: 4,
        }
    }

    /// Prints the message to standard error, where there is one.
    pub fn print(&self) {
        let _ = writeln!(std::io::stderr(), "error: {}", self.message);
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<PluginFailure> for Failure {
    fn from(error: PluginFailure) -> Self {
        Self::of_kind(error.kind(), error.to_string())
    }
}

impl From<SkeletonError> for Failure {
    fn from(error: SkeletonError) -> Self {
        match error {
            SkeletonError::Write { .. } => Self::data(error.to_string()),
            SkeletonError::Name(_) | SkeletonError::Occupied(_) | SkeletonError::Api { .. } => {
                Self::usage(error.to_string())
            }
        }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        let message = error.to_string();
        match error {
            TrainError::Failed { kind, .. } => Self::of_kind(kind, message),
            TrainError::Stopped { code, .. } => Self { message, code },
        }
    }
}
