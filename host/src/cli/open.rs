//! From words on the command line to plugins and a resolved configuration.

use super::args::{Common, ConfigArgs};
use super::failure::Failure;
use crate::config::{self, Recommended, Resolved, Sources};
use crate::plugin::{Registry, search};

/// The plugins of the search path, judged but not opened.
pub fn registry(common: &Common) -> Registry {
    Registry::scan(&search::directories(&common.plugins))
}

/// All layers, with what the data set and the encoder recommend.
pub fn configuration(arguments: &ConfigArgs, extra: &[String], registry: &Registry) -> Result<Resolved, Failure> {
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
    let dataset = registry.dataset_card(&names.dataset)?;
    sources.recommended.push(Recommended { origin: format!("data set {}", dataset.name), values: dataset.recommended });
    let encoder = registry.encoder_card(&names.encoder)?;
    sources.recommended.push(Recommended { origin: format!("encoder {}", encoder.name), values: encoder.recommended });
    let resolved = config::load(&sources)?;
    // Further data sets recommend nothing, but a plugin must provide them.
    let further = resolved.config.dataset.mix.iter().map(|set| &set.name);
    for name in further.chain(&resolved.config.linear_head.dataset.name) {
        registry.dataset_card(name)?;
    }
    Ok(resolved)
}
