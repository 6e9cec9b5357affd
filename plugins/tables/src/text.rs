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
    if let Some(kind) = other_kind(&bytes) {
        return Err(wrong(file, &format!("this is {kind}")));
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

/// What a file is that is called a list and is none, and what to do.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let first = bytes[..bytes.len().min(256)].trim_ascii_start().to_ascii_lowercase();
    let kinds: [(&[u8], &str); 7] = [
        (b"pk\x03\x04", "a zip archive, as Excel's workbooks are; save the table as CSV, or unpack it"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the table as CSV"),
        (b"\x1f\x8b", "compressed (gzip); unpack it"),
        (b"par1", "a Parquet file; dataset.name Parquet reads these"),
        (b"%pdf", "a PDF document; a CSV file is needed"),
        (b"<!doctype", "a web page; download the list itself"),
        (b"<html", "a web page; download the list itself"),
    ];
    kinds.iter().find(|(start, _)| first.starts_with(start)).map(|(_, kind)| *kind)
}

/// By its mark, or by the zeros between its first letters.
fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=255, 0, 1..=255, 0, ..] | [0, 1..=255, 0, 1..=255, ..])
}

fn wrong(file: &Path, what: &str) -> PluginError {
    PluginError::data(format!("{}: {what}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_lists_are_called_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list.csv");
        for (bytes, part) in [
            (&b"PK\x03\x04..."[..], "Excel's workbooks"),
            (b"\x1f\x8b\x08...", "gzip"),
            (b"PAR1...", "Parquet"),
            (b"\n <!DOCTYPE html><html>", "a web page"),
            (b"a\0,\0b\0", "UTF-16"),
        ] {
            std::fs::write(&file, bytes).unwrap();
            let error = read(&file).unwrap_err().message;
            assert!(error.contains("list.csv: this is") && error.contains(part), "{error}");
        }
        std::fs::write(&file, "\u{feff}path,label\nPK,1\n").unwrap();
        assert_eq!(read(&file).unwrap(), "path,label\nPK,1\n");
    }
}
