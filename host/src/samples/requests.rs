//! The data sets of a run, as plugins are asked for them.

use super::cache;
use crate::config::Config;
use crate::data::DataError;
use crate::error::Error;
use crate::home;
use crate::plugin::Registry;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Services};
use std::path::PathBuf;

/// The encoder's data sets, `dataset` first, and the head's own; with their folders from the root, so that messages name those.
///
/// # Errors
/// No folder for downloads.
pub fn requests(config: &Config) -> Result<(Vec<DatasetRequest>, Option<DatasetRequest>), Error> {
    let cache_dir = cache::cache_dir()?;
    let request = |name: &str, folder: &Option<PathBuf>, options: &serde_json::Map<_, _>| DatasetRequest {
        name: name.to_owned(),
        dataset_dir: folder.as_deref().map(home::absolute),
        cache_dir: cache_dir.clone(),
        options: serde_json::Value::Object(options.clone()),
    };
    let first = &config.dataset;
    let mut encoder = vec![request(&first.name, &first.dataset_dir, &first.options)];
    encoder.extend(first.mix.iter().map(|set| request(&set.name, &set.dataset_dir, &set.options)));
    let head = &config.linear_head.dataset;
    let head = head.name.as_ref().map(|name| request(name, &head.dataset_dir, &head.options));
    Ok((encoder, head))
}

/// A data set's name, with its folder where one is configured: several may come from one plugin.
pub fn label(request: &DatasetRequest) -> String {
    match &request.dataset_dir {
        Some(folder) => format!("{} ({})", request.name, folder.display()),
        None => request.name.clone(),
    }
}

/// Makes the files of one data set ready.
///
/// # Errors
/// What the plugin says about the data set, its options or its files.
pub fn prepare(
    request: &DatasetRequest,
    registry: &Registry,
    services: &dyn Services,
) -> Result<(Card, Box<dyn Dataset>), Error> {
    services
        .items(&format!("preparing {}", request.name), 0, None)
        .map_err(|error| DataError::cancelled(&request.name, error))?;
    let dataset = registry.create_dataset(request)?;
    dataset.prepare(services)?;
    let card = match dataset.card()? {
        Some(card) => card,
        None => registry.dataset_card(&request.name)?,
    };
    Ok((card, dataset))
}
