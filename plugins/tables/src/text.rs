//! Lists that users write, read as text.

use crate::files::advice;
use crate::names;
use selfsame_plugin_api::{PluginError, Result};
use std::fs;
use std::path::Path;

/// Larger files are not lists of images.
const LARGEST: u64 = 1 << 30;

/// The file's text without a byte order mark.
///
/// # Errors
/// As [`bytes`], or a file that is not UTF-8.
pub fn read(file: &Path) -> Result<String> {
    String::from_utf8(bytes(file)?).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(file, &format!("line {line} is not UTF-8; save the file as UTF-8"))
    })
}

/// The file's bytes without a byte order mark.
///
/// # Errors
/// A file that cannot be read, is no regular file, is larger than 1 GiB, or is UTF-16.
pub fn bytes(file: &Path) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| {
        let there = file.parent().zip(file.file_name());
        let advice = there.and_then(|(folder, name)| advice(folder, &[Path::new(name)]));
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        wrong(file, &format!("could not read the list: {error}{advice}"))
    };
    let metadata = fs::metadata(file).map_err(unreadable)?;
    // A pipe would be waited for without end.
    if !metadata.is_file() {
        return Err(wrong(file, "this is no regular file, expected a list"));
    }
    let length = metadata.len();
    if length > LARGEST {
        return Err(wrong(file, &format!("{length} bytes are too many for a list, expected at most {LARGEST}")));
    }
    let mut bytes = fs::read(file).map_err(unreadable)?;
    if is_utf16(&bytes) {
        return Err(wrong(file, "this is UTF-16; save the file as UTF-8 (in Excel: CSV UTF-8)"));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..3);
    }
    // What a crash or a copy to a full device leaves behind the end.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    Ok(bytes)
}

/// An error about a list, with the option that names it and what is written there.
pub fn set_by(error: PluginError, option: &str, written: &str) -> PluginError {
    let written = names::shortened(written);
    PluginError { message: format!("{} (dataset.options.{option} is `{written}`)", error.message), ..error }
}

/// By its mark, or by the zeros between its first letters.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=255, 0, 1..=255, 0, ..] | [0, 1..=255, 0, 1..=255, ..])
}

fn wrong(file: &Path, what: &str) -> PluginError {
    PluginError::data(format!("{}: {what}", file.display()))
}
