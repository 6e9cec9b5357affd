//! The digest beside an installed plugin, `NAME.so.sha256` as `sha256sum --check` reads it: a file with a flipped bit may
//! still look like a plugin, and end the process when it is opened.

use crate::regular_file;
use crate::storage::sha256_of_file;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the digest of a plugin file stands.
pub(super) fn beside(plugin: &Path) -> PathBuf {
    let mut name = OsString::from(plugin);
    name.push(".sha256");
    name.into()
}

/// What stands there.
pub(super) fn line(sha256: &str, plugin: &Path) -> String {
    format!("{sha256}  {}\n", plugin.file_name().unwrap_or_default().to_string_lossy())
}

/// Compares a plugin file with the digest beside it, where there is one.
///
/// # Errors
/// A file that is not the one that was installed, as a sentence.
pub(super) fn check(plugin: &Path) -> Result<(), String> {
    let path = beside(plugin);
    let stated = match regular_file::read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(format!(
                "its digest, {}, cannot be read: {error}; make it readable, or install the plugin again",
                path.display()
            ));
        }
    };
    let stated = stated.split_whitespace().next().unwrap_or_default();
    let (found, _) = sha256_of_file(plugin).map_err(|error| {
        format!("cannot be read, to compare it with its digest: {}; make it readable", error.source)
    })?;
    if stated.eq_ignore_ascii_case(&found) {
        return Ok(());
    }
    Err(format!(
        "damaged or replaced since it was installed: its SHA-256 is {found}, {} says {stated}; install it again \
         (`selfsame plugins install FILE --force`, or its Python package), or remove both files",
        path.display()
    ))
}
