//! `selfsame data`: data sets and the packed cache.

use super::args::{CacheCommand, Cli, ConfigArgs, DataCommand};
use super::commands::{pretty, say};
use super::failure::Failure;
use super::open;
use crate::config::Config;
use crate::data::survey::{self, Survey};
use crate::data::{Decoder, entries};
use crate::output::host_services::HostServices;
use crate::output::survey_table;
use crate::plugin::Registry;
use crate::train::signals::Stop;
use crate::train::{TrainError, run_data, session};
use indicatif::MultiProgress;
use selfsame_plugin_api::Services;
use std::collections::BTreeMap;
use std::path::Path;

/// Runs the command.
pub fn data(cli: &Cli, command: &DataCommand, bars: &MultiProgress) -> Result<(), Failure> {
    let arguments = match command {
        DataCommand::Fetch(arguments) | DataCommand::Verify(arguments) => arguments,
        DataCommand::Stats { config, .. } => config,
        DataCommand::Cache(CacheCommand::List(arguments) | CacheCommand::Clear(arguments)) => arguments,
    };
    let registry = open::registry(&cli.common);
    let config = configuration(arguments, &registry)?;
    let stop = Stop::install().map_err(TrainError::from)?;
    let stopped = || stop.requested().is_some();
    let services = HostServices::new(bars, &stopped);
    let name = &config.dataset.name;
    match command {
        DataCommand::Fetch(_) => {
            let (encoder, head) = run_data::requests(&config)?;
            for request in encoder.iter().chain(&head) {
                session::prepare_dataset(request, &registry, &services)?;
                say(&format!("data set {} is ready", request.name))?;
            }
        }
        DataCommand::Verify(_) => {
            let splits = read(&config, &registry, &services)?;
            say(&survey_table::failures(name, &splits))?;
            let count = |of: fn(&Survey) -> usize| splits.values().map(of).sum::<usize>();
            let (failing, all) = (count(|survey| survey.damaged.len()), count(|survey| survey.samples));
            if failing > 0 {
                return Err(Failure::data(format!(
                    "data set {name}: {failing} of {all} samples cannot be read; repair or remove them, or leave them out with \
                     `data.on_error=skip`"
                )));
            }
        }
        DataCommand::Stats { json, .. } => {
            let splits = read(&config, &registry, &services)?;
            let leaks = survey::leaks(&splits);
            say(&match json {
                true => pretty(&serde_json::json!({"dataset": name, "splits": splits, "leaks": leaks})),
                false => survey_table::statistics(name, &splits, &leaks),
            })?;
        }
        DataCommand::Cache(command) => say(&cache(command, &session::packed_dir(&config)?)?)?,
    }
    Ok(())
}

/// Lists the packed cache in `folder`, or empties it.
fn cache(command: &CacheCommand, folder: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::data(format!("packed cache {}: {error}", folder.display()));
    let mut lines = Vec::new();
    for entry in entries::entries(folder).map_err(failed)? {
        let (key, size) = (&entry.key, entry.bytes as f64 / 1e9);
        let side = key.store_size.map_or("original size".to_owned(), |side| format!("reduced to {side} pixels"));
        let described = format!("{size:8.3} GB  {} {}, {side}  {}", key.dataset, key.split, entry.folder.display());
        let done = match command {
            CacheCommand::List(_) => "",
            CacheCommand::Clear(_) if entries::remove(&entry).map_err(failed)? => "  removed",
            CacheCommand::Clear(_) => "  is being written, and stays",
        };
        lines.push(described + done);
    }
    if lines.is_empty() {
        lines.push(format!("nothing is kept in {}", folder.display()));
    }
    Ok(lines.join("\n"))
}

fn configuration(arguments: &ConfigArgs, registry: &Registry) -> Result<Config, Failure> {
    Ok(open::configuration(arguments, &[], registry)?.config)
}

/// Reads every sample of every split that the data set publishes.
fn read(config: &Config, registry: &Registry, services: &dyn Services) -> Result<BTreeMap<String, Survey>, TrainError> {
    let (requests, _) = run_data::requests(config)?;
    let (card, dataset) = session::prepare_dataset(&requests[0], registry, services)?;
    let mut splits = BTreeMap::new();
    for split in &card.splits {
        let samples = dataset.open(*split)?;
        let what = format!("read {} {}", card.name, split.name());
        let workers = session::workers(config);
        let decoder = Decoder { card: &card, samples: samples.as_ref(), side: None, workers, services, what };
        splits.insert(split.name().to_owned(), survey::survey(&decoder)?);
    }
    Ok(splits)
}
