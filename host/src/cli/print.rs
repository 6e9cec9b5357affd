//! What a command leaves: a result on standard output, or a file.

use super::failure::Failure;
use crate::output::terminal;
use crate::plugin;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::OnceLock;

/// Standard output, where nothing but results may reach it.
static RESULTS: OnceLock<File> = OnceLock::new();

/// Keeps standard output for results, whatever plugins print.
///
/// # Errors
/// A standard output that is closed.
pub(super) fn reserve_stdout() -> Result<(), Failure> {
    let own = plugin::reserve_stdout();
    let own = own.map_err(|error| Failure::data(format!("standard output or error cannot be used: {error}")))?;
    RESULTS.get_or_init(|| own);
    Ok(())
}

/// JSON for people.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Prints a result to standard output; a reader that has gone away (`| head`) is no error.
///
/// # Errors
/// A full device.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    let text = terminal::shown(text.trim_end());
    let written = match RESULTS.get() {
        Some(mut own) => writeln!(own, "{text}"),
        None => writeln!(std::io::stdout().lock(), "{text}"),
    };
    match written {
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
