//! `selfsame plugins check`: whether what a plugin provides keeps its contract, a verdict for each thing that is checked.

mod dataset;
mod encoder;
mod outcome;
mod verdict;

pub use verdict::{Report, Status, Verdict};

use crate::config::Config;
use crate::error::Error;
use crate::plugin::{Registry, SearchDir};
use crate::samples;
use selfsame_plugin_api::{ErrorKind, OptionSpec};
use serde_json::{Map, Value};
use std::path::Path;
use verdict::Verdicts;

/// Checks the data sets and encoders of one plugin file; `only` these names, where there are any. Data sets are made with the
/// folder and the options of `config.dataset`, encoders with those of `config.encoder`. A data set without code has its reader
/// in `dirs`.
///
/// # Errors
/// A file that is no usable plugin, a name that it does not provide, an option that it does not have, and the user's wish to
/// stop, for which `is_stopped` is asked before each check. Broken contracts are verdicts.
pub fn check(
    file: &Path,
    only: &[String],
    config: &Config,
    dirs: &[SearchDir],
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Report, Error> {
    let (registry, plugin) = Registry::of_file(file, dirs)?;
    let provided = || plugin.datasets().iter().chain(plugin.encoders());
    if let Some(unknown) = only.iter().find(|name| provided().all(|known| known != *name)) {
        let names: Vec<_> = provided().map(String::as_str).collect();
        return Err(Error::configuration(format!(
            "{} does not provide `{unknown}`; it provides: {}",
            file.display(),
            names.join(", ")
        )));
    }
    let wanted = |name: &&String| only.is_empty() || only.contains(name);
    let mut verdicts = Vec::new();
    for name in plugin.datasets().iter().filter(wanted) {
        let mut config = config.clone();
        config.dataset.name.clone_from(name);
        let request = samples::requests(&config)?.0.remove(0);
        let mut of = Verdicts::about(format!("data set {name}"), is_stopped);
        if let Ok(card) = registry.dataset_card(name) {
            ensure_known("dataset.options", &config.dataset.options, name, &card.options)?;
        }
        dataset::check(&registry, &request, is_stopped, &mut of);
        verdicts.extend(of.into_list());
    }
    for name in plugin.encoders().iter().filter(wanted) {
        let mut of = Verdicts::about(format!("encoder {name}"), is_stopped);
        if let Ok(card) = registry.encoder_card(name) {
            ensure_known("encoder.options", &config.encoder.options, name, &card.options)?;
        }
        encoder::check(&registry, name, &config.encoder.options, &mut of);
        verdicts.extend(of.into_list());
    }
    if is_stopped() {
        return Err(Error::Failed { kind: ErrorKind::Cancelled, message: "stopped at the user's request".into() });
    }
    let (plugin, version) = (plugin.name().to_owned(), plugin.version().to_owned());
    Ok(Report { file: file.to_owned(), plugin, version, verdicts })
}

/// Refuses an option that the card does not name: it is the user's mistake, not the plugin's.
fn ensure_known(section: &str, options: &Map<String, Value>, name: &str, known: &[OptionSpec]) -> Result<(), Error> {
    let Some(unknown) = options.keys().find(|option| known.iter().all(|spec| spec.name != **option)) else {
        return Ok(());
    };
    let names: Vec<_> = known.iter().map(|spec| spec.name.as_str()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(Error::configuration(format!(
        "`{section}.{unknown}` is no option of `{name}`; it has: {names} (`--only` checks one of several)"
    )))
}
