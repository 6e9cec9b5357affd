//! `selfsame plugins check`: whether what a plugin provides keeps its contract, a verdict for each thing that is checked.

mod dataset;
mod encoder;
mod verdict;

pub use verdict::{Report, Status, Verdict};

use crate::config::Config;
use crate::error::Error;
use crate::plugin::{Registry, SearchDir};
use crate::samples;
use std::path::Path;
use verdict::Verdicts;

/// Checks the data sets and encoders of one plugin file; `only` these names, where there are any. Data sets are made with the
/// folder and the options of `config.dataset`, encoders with those of `config.encoder`. A data set without code has its reader
/// in `dirs`.
///
/// # Errors
/// A file that is no usable plugin, and a name that it does not provide. Broken contracts are verdicts.
pub fn check(file: &Path, only: &[String], config: &Config, dirs: &[SearchDir]) -> Result<Report, Error> {
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
        let mut of = Verdicts::about(format!("data set {name}"));
        dataset::check(&registry, &request, &mut of);
        verdicts.extend(of.into_list());
    }
    for name in plugin.encoders().iter().filter(wanted) {
        let mut of = Verdicts::about(format!("encoder {name}"));
        encoder::check(&registry, name, &config.encoder.options, &mut of);
        verdicts.extend(of.into_list());
    }
    let (plugin, version) = (plugin.name().to_owned(), plugin.version().to_owned());
    Ok(Report { file: file.to_owned(), plugin, version, verdicts })
}
