//! `selfsame plugins check`: whether what a plugin provides keeps its contract, a verdict for each thing that is checked.

mod dataset;
mod encoder;
mod event;
mod outcome;
mod supervised;
mod verdict;

pub use event::Event;
pub use supervised::{Supervised, supervise};
pub use verdict::{Report, Status, Verdict};

use crate::config::Config;
use crate::error::Error;
use crate::plugin::{Registry, SearchDir};
use crate::samples;
use selfsame_plugin_api::{ErrorKind, OptionSpec};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::path::Path;
use verdict::Verdicts;

/// What is checked, and how.
pub struct Checks<'a> {
    /// Only these names, where there are any.
    pub only: &'a [String],
    /// How many data sets and encoders are passed over, because they were checked before.
    pub after: usize,
    /// Data sets are made with the folder and the options of `config.dataset`, encoders with those of `config.encoder`.
    pub config: &'a Config,
    /// A data set without code has its reader here.
    pub dirs: &'a [SearchDir],
    /// The user's wish to stop; it is asked for before each check.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

/// Checks the data sets and encoders of one plugin file, in this process, which ends where the plugin ends it.
///
/// # Errors
/// A file that is no usable plugin, a name that it does not provide, an option that it does not have, and the user's wish to
/// stop. Broken contracts are verdicts.
pub fn check(file: &Path, checks: &Checks) -> Result<Report, Error> {
    let report =
        RefCell::new(Report { file: file.to_owned(), plugin: String::new(), version: String::new(), verdicts: vec![] });
    check_and_tell(file, checks, &|event| report.borrow_mut().take(event))?;
    Ok(report.into_inner())
}

/// As [`check`], and tells of everything when it happens.
///
/// # Errors
/// As [`check`].
pub fn check_and_tell(file: &Path, checks: &Checks, tell: &dyn Fn(Event)) -> Result<(), Error> {
    let &Checks { only, after, config, dirs, is_stopped } = checks;
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
    let datasets = plugin.datasets().iter().map(|name| ("data set", name));
    let encoders = plugin.encoders().iter().map(|name| ("encoder", name));
    let wanted = |(_, name): &(&str, &String)| only.is_empty() || only.contains(name);
    let subjects: Vec<_> = datasets.chain(encoders).filter(wanted).collect();
    tell(Event::Plugin {
        name: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        subjects: subjects.iter().map(|(what, name)| format!("{what} {name}")).collect(),
    });
    for (what, name) in subjects.into_iter().skip(after) {
        let mut of = Verdicts::about(format!("{what} {name}"), is_stopped, tell);
        match what {
            "encoder" => {
                if let Some(card) = of.note("card", || registry.encoder_card(name).map(|card| (card, String::new()))) {
                    ensure_known("encoder.options", &config.encoder.options, name, &card.options)?;
                    encoder::check(&registry, name, &config.encoder.options, &mut of);
                }
            }
            _ => {
                let mut config = config.clone();
                config.dataset.name.clone_from(name);
                let request = samples::requests(&config)?.0.remove(0);
                if let Some(card) = of.note("card", || registry.dataset_card(name).map(|card| (card, String::new()))) {
                    ensure_known("dataset.options", &config.dataset.options, name, &card.options)?;
                    dataset::check(&registry, &request, is_stopped, &mut of);
                }
            }
        }
    }
    if is_stopped() {
        return Err(Error::Failed { kind: ErrorKind::Cancelled, message: "stopped at the user's request".into() });
    }
    tell(Event::Finished);
    Ok(())
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
