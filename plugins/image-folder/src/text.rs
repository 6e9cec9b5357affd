//! Lists that users write, read as text.

use selfsame_plugin_api::{PluginError, Result};
use std::fs;
use std::path::Path;

/// Larger files are not lists of images.
const LARGEST: u64 = 1 << 30;

/// The file's text without a byte order mark.
///
/// # Errors
/// A file that cannot be read, is no regular file, is larger than 1 GiB, or is not UTF-8.
pub fn read(file: &Path) -> Result<String> {
    let wrong = |what: &str| PluginError::data(format!("{}: {what}", file.display()));
    let unreadable = |error: std::io::Error| wrong(&format!("could not read the list: {error}"));
    let metadata = fs::metadata(file).map_err(unreadable)?;
    // A pipe would be waited for without end.
    if !metadata.is_file() {
        return Err(wrong("this is no regular file, expected a list"));
    }
    if metadata.len() > LARGEST {
        return Err(wrong(&format!("{} bytes are too many for a list, expected at most {LARGEST}", metadata.len())));
    }
    let mut bytes = fs::read(file).map_err(unreadable)?;
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(&format!("line {line} is not UTF-8; save the file as UTF-8"))
    })
}
