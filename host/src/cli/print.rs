//! What a command leaves: a result on standard output, or a file.

use super::failure::Failure;
use crate::output::terminal;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// JSON for people.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Prints a result to standard output; a reader that has gone away (`| head`) is no error.
///
/// # Errors
/// A full device.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", terminal::shown(text.trim_end())) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::data(format!("the result cannot be written to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Refuses to replace a file that the user did not say to replace.
pub(super) fn ensure_new(out: &Path, force: bool) -> Result<(), Failure> {
    match out.exists() && !force {
        true => {
            Err(Failure::usage(format!("{} exists; replace it with --force, or choose another name", out.display())))
        }
        false => Ok(()),
    }
}
