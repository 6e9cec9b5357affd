//! Files that a publisher serves: fetched with a checksum, in several attempts, and stopped when the user asks for it.

mod digest;
mod http;
mod lock;
mod partial;

pub use digest::Digest;
pub use lock::acquire as lock;
pub use partial::{Partial, Retry};

use crate::{files, PluginError, Result, Services};
use std::fs;
use std::path::Path;

/// Fetches `url` into the file `to`, unless it is there: it gets its name only once its digest is right.
///
/// What came before a connection broke, or before the process ended, is kept and completed. Several processes may ask for
/// the same file; one of them fetches it. Proxies are taken from the environment (`HTTPS_PROXY` and its kin).
///
/// # Errors
/// The server refuses, every attempt fails, what it serves is another file, the disk is full, or the user cancelled.
pub fn fetch(url: &str, digest: Digest<'_>, to: &Path, services: &dyn Services) -> Result<()> {
    fetch_with(url, digest, to, Retry::default(), services)
}

fn fetch_with(url: &str, digest: Digest<'_>, to: &Path, retry: Retry, services: &dyn Services) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    let (folder, name) = match (to.parent(), to.file_name()) {
        (Some(folder), Some(name)) => (folder, name.to_string_lossy()),
        _ => return Err(PluginError::plugin(format!("{} cannot be downloaded to: it is no file", to.display()))),
    };
    fs::create_dir_all(folder).map_err(|error| files::failure("make the folder", folder, &error))?;
    let _lock = lock::acquire(&folder.join(format!(".{name}.lock")), services)?;
    if to.exists() {
        return Ok(());
    }
    let partial = Partial::new(folder, &name);
    let mut is_second = false;
    loop {
        let is_joined = partial.fetch(url, retry, services)?;
        let Some(cause) = digest.mismatch(partial.path(), services)? else {
            fs::rename(partial.path(), to).map_err(|error| files::failure("write", to, &error))?;
            return partial.discard();
        };
        partial.discard()?;
        if !is_joined || is_second {
            return Err(PluginError::data(format!("what {url} serves cannot be used: {cause}")));
        }
        tracing::warn!("{cause}; the download was made of several parts, so it starts afresh");
        is_second = true;
    }
}

#[cfg(test)]
mod tests;
