//! A folder of new images, read as the run's own data set reads its files.

use super::failure::Failure;
use crate::config::schema::LimitConfig;
use crate::config::{Config, Origin, Resolved};
use crate::error::Error;
use crate::evaluate::TrainedRun;
use crate::plugin::Registry;
use std::path::Path;

/// What makes the encoder's input of all images in the folder `on`, whatever the run has held out or left out of its own.
/// `dataset` names another plugin than the run's; `sets` are the user's values.
pub fn configured(
    run: &TrainedRun,
    registry: &Registry,
    dataset: Option<&str>,
    on: &Path,
    sets: &[String],
) -> Result<(Resolved, Config), Failure> {
    let sets = with_own_options(run, registry, dataset, sets)?;
    let mut resolved = run.configured(Some((name(run, dataset), Some(on))), &sets)?;
    let flag = Origin::Flag(format!("--on {}", on.display()));
    resolved.origins.insert("dataset.dataset_dir".to_owned(), flag);
    let mut config = resolved.config.clone();
    config.data.val_fraction = 0.0;
    config.data.limit = LimitConfig::default();
    Ok((resolved, config))
}

/// The plugin's name: that of the data set that the run's probes learned from, unless another one is named.
fn name<'a>(run: &'a TrainedRun, dataset: Option<&'a str>) -> &'a str {
    let own = run.config.linear_head.dataset.name.as_deref().unwrap_or(&run.config.dataset.name);
    dataset.unwrap_or(own)
}

/// The user's values, after those options of the run's own data set that say how its files become images.
fn with_own_options(
    run: &TrainedRun,
    registry: &Registry,
    dataset: Option<&str>,
    sets: &[String],
) -> Result<Vec<String>, Failure> {
    let (head, own) = (&run.config.linear_head.dataset, &run.config.dataset);
    let options = match (dataset, &head.name) {
        (Some(_), _) => None,
        (None, Some(_)) => Some(&head.options),
        (None, None) => Some(&own.options),
    };
    let of_samples = registry.dataset_card(name(run, dataset)).map_err(Error::from)?.sample_options;
    let options = options.into_iter().flatten().filter(|(key, _)| !of_samples.contains(key));
    let options = options.map(|(key, value)| format!("dataset.options.{key}={value}"));
    Ok(options.chain(sets.iter().cloned()).collect())
}
