//! From words on the command line to plugins and a resolved configuration.

use super::args::{Common, ConfigArgs};
use super::failure::Failure;
use crate::config::{self, Recommended, Resolved, Sources};
use crate::plugin::{PluginFailure, Registry, search};

/// The plugins of the search path, judged but not opened.
pub fn registry(common: &Common) -> Registry {
    Registry::scan(&search::directories(&common.plugins))
}

/// All layers, with what the data set and the encoder recommend.
pub fn configuration(arguments: &ConfigArgs, extra: &[String], registry: &Registry) -> Result<Resolved, Failure> {
    resolve(arguments, extra, registry, Absent::Refused)
}

/// As [`configuration`], but where no plugin provides the data set or the encoder, a warning says so and the rest is
/// checked.
pub fn checked_configuration(arguments: &ConfigArgs, registry: &Registry) -> Result<Resolved, Failure> {
    resolve(arguments, &[], registry, Absent::Warned)
}

/// What happens when no plugin provides a name.
#[derive(Clone, Copy, PartialEq)]
enum Absent {
    Refused,
    Warned,
}

fn resolve(arguments: &ConfigArgs, extra: &[String], registry: &Registry, absent: Absent) -> Result<Resolved, Failure> {
    let mut sources = Sources {
        files: arguments.files.clone(),
        sets: arguments.sets.iter().chain(extra).cloned().collect(),
        env: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        recommended: Vec::new(),
    };
    // Once without recommendations, to learn which data set and encoder there are to ask.
    let names = config::peek(&sources)?;
    let dataset = registry
        .dataset_card(&names.dataset)
        .map(|card| Recommended { origin: format!("data set {}", card.name), values: card.recommended });
    let encoder = registry
        .encoder_card(&names.encoder)
        .map(|card| Recommended { origin: format!("encoder {}", card.name), values: card.recommended });
    for recommended in [dataset, encoder] {
        match recommended {
            Ok(recommended) => sources.recommended.push(recommended),
            Err(PluginFailure::Unknown(unknown)) if absent == Absent::Warned => {
                let message = unknown.to_string();
                let first = message.lines().next().unwrap_or_default();
                tracing::warn!("{first}; checked without what it recommends");
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    let resolved = config::load(&sources)?;
    resolved.retired.iter().for_each(|retired| tracing::warn!("{retired}"));
    Ok(resolved)
}
