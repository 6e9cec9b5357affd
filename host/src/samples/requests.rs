//! The data sets of a run, as plugins are asked for them.

use super::cache;
use crate::config::Config;
use crate::data::DataError;
use crate::error::Error;
use crate::home;
use crate::plugin::Registry;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Services};
use std::path::Path;

/// The encoder's data sets, `dataset` first, and the head's own; with their folders from the root, so that messages name those.
///
/// # Errors
/// No folder for downloads.
pub fn requests(config: &Config) -> Result<(Vec<DatasetRequest>, Option<DatasetRequest>), Error> {
    let first = &config.dataset;
    let mut encoder = vec![request_of(&first.name, first.dataset_dir.as_deref(), &first.options)?];
    for set in &first.mix {
        encoder.push(request_of(&set.name, set.dataset_dir.as_deref(), &set.options)?);
    }
    let head = &config.linear_head.dataset;
    let own = |name| request_of(name, head.dataset_dir.as_deref(), &head.options);
    Ok((encoder, head.name.as_deref().map(own).transpose()?))
}

/// A data set in a folder, with these options, as its plugin is asked for it.
///
/// # Errors
/// No folder for downloads.
pub fn request_of(
    name: &str,
    folder: Option<&Path>,
    options: &serde_json::Map<String, serde_json::Value>,
) -> Result<DatasetRequest, Error> {
    Ok(DatasetRequest {
        name: name.to_owned(),
        dataset_dir: folder.map(home::absolute),
        cache_dir: cache::cache_dir()?,
        options: serde_json::Value::Object(options.clone()),
    })
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
