//! Every error of every stage as one message and one exit code.

use crate::error::Error;
use crate::output::{events, terminal};
use crate::run::log;
use crate::train::signals::Stop;
use selfsame_plugin_api::{ErrorKind, lacks_memory, without_backtrace};
use std::io::Write;

/// The exit code of a call that was cancelled, by Ctrl-C unless [`Failure::signalled`] knows better.
const CANCELLED: u8 = 130;

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

    /// By whose mistake it is. Where memory is short, the message ends with what helps.
    pub fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        let code = match kind {
            ErrorKind::Configuration => 2,
            ErrorKind::Data => 3,
            ErrorKind::Plugin | ErrorKind::Contract => 4,
            ErrorKind::Device => 5,
            ErrorKind::Cancelled => CANCELLED,
        };
        if kind == ErrorKind::Device && lacks_memory(&message) {
            message += "; memory is short: lower `train.batch_size` or `train.micro_batch_size`, or choose a smaller \
                        encoder, projection head or image size";
        }
        Self { message, code }
    }

    /// A panic of libtorch or of this program, as a message.
    pub fn panicked(message: &str, place: &str) -> Self {
        let message = without_backtrace(message);
        if lacks_memory(&message) {
            return Self::of_kind(ErrorKind::Device, message);
        }
        Self {
            message: format!("internal error: {message} ({place}). Please report it with the command line"),
            code: 4,
        }
    }

    /// With the exit code of the signal that cancelled a call, where one did.
    pub fn signalled(self, stop: &Stop) -> Self {
        match stop.requested() {
            Some(code) if self.code == CANCELLED => Self { code: code as u8, ..self },
            _ => self,
        }
    }

    /// An end that another process tells of.
    pub fn told_elsewhere(code: u8) -> Self {
        Self { message: String::new(), code }
    }

    /// Prints the message to standard error, where there is one.
    pub fn print(&self) {
        if self.message.is_empty() {
            return;
        }
        let line = format!("error: {}\n", terminal::message(&self.message));
        log::note(line.as_bytes());
        if !events::took(&line) {
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: Error = error.into();
        let message = error.to_string();
        match error {
            Error::Failed { kind, .. } => Self::of_kind(kind, message),
            Error::Stopped { code, .. } => Self { message, code },
        }
    }
}
