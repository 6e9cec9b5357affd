//! Where downloads and decoded pixels are kept.

use crate::config::Config;
use crate::error::Error;
use std::path::PathBuf;

/// Folder of the packed cache.
///
/// # Errors
/// When there is no home folder and none is configured.
pub fn packed_dir(config: &Config) -> Result<PathBuf, Error> {
    match &config.data.cache_dir {
        Some(folder) => Ok(folder.clone()),
        None => Ok(cache_dir()?.join("packed")),
    }
}

/// `$XDG_CACHE_HOME/selfsame`, or `~/.cache/selfsame`.
pub(super) fn cache_dir() -> Result<PathBuf, Error> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    base.map(|base| base.join("selfsame")).ok_or_else(|| {
        Error::configuration(
            "there is no home folder to keep downloads in; set XDG_CACHE_HOME or `dataset.dataset_dir`",
        )
    })
}
