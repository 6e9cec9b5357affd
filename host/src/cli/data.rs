//! `selfsame data`: data sets and the packed cache.

use super::args::{CacheCommand, Cli, DataCommand};
use super::failure::Failure;
use super::open;
use super::print::{pretty, say};
use crate::config::Config;
use crate::data::dataset_stats::{self, DatasetStats};
use crate::data::flat;
use crate::data::{Decoder, cache_entries};
use crate::error::Error;
use crate::output::host_services::HostServices;
use crate::output::stats_table;
use crate::plugin::Registry;
use crate::samples::{self, cache, splits};
use crate::train::signals::Stop;
use indicatif::{DecimalBytes, MultiProgress};
use selfsame_plugin_api::{DatasetRequest, Services};
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
    let resolved = open::configuration(arguments, &[], &[], &registry)?;
    let stop = Stop::install()?;
    let stopped = || stop.requested().is_some();
    let services = HostServices::new(bars, &stopped);
    let done = run(command, &resolved.config, &registry, &services);
    done.map_err(|failure| open::naming_path(&resolved, failure.signalled(&stop)))
}

fn run(command: &DataCommand, config: &Config, registry: &Registry, services: &HostServices) -> Result<(), Failure> {
    let say = |text: &str| {
        services.clear();
        say(text)
    };
    match command {
        DataCommand::Fetch(_) => {
            for request in requests(config)? {
                samples::prepare(&request, registry, services)?;
                say(&format!("data set {} is ready", request.name))?;
            }
        }
        DataCommand::Verify(_) => {
            let (mut failing, mut all) = (0, 0);
            for request in requests(config)? {
                let splits = read(config, &request, registry, services)?;
                say(&stats_table::failures(&samples::label(&request), &splits))?;
                failing += splits.values().map(|stats| stats.damaged.len()).sum::<usize>();
                all += splits.values().map(|stats| stats.samples).sum::<usize>();
            }
            if failing > 0 {
                return Err(Failure::data(format!(
                    "{failing} of {all} samples cannot be read; repair or remove them, or leave them out with \
                     `data.on_error=skip`"
                )));
            }
        }
        DataCommand::Stats { json, .. } => {
            let (mut described, mut surveys) = (Vec::new(), Vec::new());
            for request in requests(config)? {
                let splits = read(config, &request, registry, services)?;
                let leaks = dataset_stats::leaks(&splits);
                match json {
                    true => {
                        described.push(serde_json::json!({"dataset": request.name, "folder": request.dataset_dir, "splits": splits, "leaks": leaks}));
                    }
                    false => say(&stats_table::statistics(&samples::label(&request), &splits, &leaks))?,
                }
                surveys.push((samples::label(&request), splits));
            }
            let shared = dataset_stats::shared(surveys.iter().map(|(label, splits)| (label.as_str(), splits)));
            match json {
                true => say(&pretty(&serde_json::json!({"data_sets": described, "shared": shared})))?,
                false if surveys.len() > 1 => say(&stats_table::shared(&shared))?,
                false => {}
            }
        }
        DataCommand::Cache(command) => say(&cache(command, &cache::packed_dir(config)?)?)?,
    }
    Ok(())
}

/// Lists the packed cache in `folder`, or empties it.
fn cache(command: &CacheCommand, folder: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::data(format!("packed cache {}: {error}", folder.display()));
    let mut lines = Vec::new();
    for entry in cache_entries::entries(folder).map_err(failed)? {
        let (key, size) = (&entry.key, DecimalBytes(entry.bytes).to_string());
        let side = key.store_size.map_or("original size".to_owned(), |side| format!("reduced to {side} pixels"));
        let described = format!("{size:>10}  {} {}, {side}  {}", key.dataset, key.split, entry.folder.display());
        let done = match command {
            CacheCommand::List(_) => "",
            CacheCommand::Clear(_) if cache_entries::remove(&entry).map_err(failed)? => "  removed",
            CacheCommand::Clear(_) => "  is being written, and stays",
        };
        lines.push(described + done);
    }
    if lines.is_empty() {
        lines.push(format!("nothing is kept in {}", folder.display()));
    }
    Ok(lines.join("\n"))
}

/// All data sets of the configuration, each once: the encoder's, then the head's.
fn requests(config: &Config) -> Result<Vec<DatasetRequest>, Error> {
    let (encoder, head) = samples::requests(config)?;
    let mut requests = Vec::new();
    for request in encoder.into_iter().chain(head) {
        if !requests.contains(&request) {
            requests.push(request);
        }
    }
    Ok(requests)
}

/// Reads every sample of every split that a data set publishes.
fn read(
    config: &Config,
    request: &DatasetRequest,
    registry: &Registry,
    services: &dyn Services,
) -> Result<BTreeMap<String, DatasetStats>, Error> {
    let (card, dataset) = samples::prepare(request, registry, services)?;
    let mut splits = BTreeMap::new();
    for split in &card.splits {
        let samples = dataset.open(*split)?;
        let what = format!("read {} {}", card.name, split.name());
        let workers = splits::workers(config.dataset.num_workers);
        let decoder = Decoder { card: &card, samples: samples.as_ref(), side: None, workers, services, what };
        let stats = dataset_stats::measure(&decoder)?;
        if let Some(warning) = flat::describe(&card.name, *split, &stats.flat, stats.samples, samples.as_ref()) {
            tracing::warn!("{warning}");
        }
        splits.insert(split.name().to_owned(), stats);
    }
    Ok(splits)
}
