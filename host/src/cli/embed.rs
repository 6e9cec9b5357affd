//! `selfsame embed`: the embeddings of a data set's images as a file.

use super::args::{Cli, EmbedArgs, SplitChoice};
use super::evaluate::{dataset, ensure_run_of_untrained, splits, warn_of_other_samples};
use super::failure::Failure;
use super::{new_images, open};
use crate::config::Config;
use crate::error::Error;
use crate::evaluate::{self, TrainedRun};
use crate::output::counter::Counter;
use crate::output::embeddings::{self, Embeddings, Rows};
use crate::output::host_services::HostServices;
use crate::plugin::Registry;
use crate::samples::splits::Part;
use crate::train::compute::Compute;
use indicatif::MultiProgress;
use selfsame_plugin_api::Targets;

/// Embeds a split, or all of them one after the other, each in the publisher's order.
pub fn embed(cli: &Cli, arguments: &EmbedArgs, bars: &MultiProgress) -> Result<String, Failure> {
    embeddings::files(&arguments.out, arguments.force)?;
    let registry = open::registry(&cli.common);
    let services = HostServices::new(bars, &|| false);
    let (run, sets) = open::encoder(&arguments.trained.encoder, &registry, &services)?;
    ensure_run_of_untrained(arguments.untrained, &run)?;
    let (resolved, config) = match &arguments.on {
        Some(on) => new_images::configured(&run, &registry, arguments.trained.dataset.as_deref(), on, &sets)?,
        None => {
            let resolved = run.configured(dataset(&arguments.trained), &sets)?;
            let config = resolved.config.clone();
            (resolved, config)
        }
    };
    written(&registry, arguments, bars, &services, &run, &config)
        .map_err(|failure| open::naming_path(&resolved, failure))
}

fn written(
    registry: &Registry,
    arguments: &EmbedArgs,
    bars: &MultiProgress,
    services: &HostServices,
    run: &TrainedRun,
    config: &Config,
) -> Result<String, Failure> {
    let compute = Compute::select(config)?;
    let (method, weights, embedding) = run.chosen(arguments.untrained, registry, compute.device)?;
    let splits = splits(config, registry, services)?;
    if arguments.on.is_none() {
        warn_of_other_samples(run, &arguments.trained, &splits)?;
    }
    let chosen = match arguments.split {
        Some(SplitChoice::One(split)) => vec![split],
        Some(SplitChoice::All) | None => splits.existing()?,
    };
    let mut parts =
        chosen.into_iter().map(|split| Ok(splits.open(split)?.sorted())).collect::<Result<Vec<_>, Error>>()?;
    let read = |part: &mut Part| splits.read(part, compute.device, &[]);
    let sources = parts.iter_mut().map(read).collect::<Result<Vec<_>, Error>>()?;
    services.clear();
    let rows = rows(&parts, &splits.card().classes);

    let views = evaluate::views(config, &config.augmentation, splits.card(), &run.record)?;
    let embedder = compute.embedder(method.encoder(), &views);
    let facts = [
        ("dataset", splits.card().name.as_str()),
        ("encoder", run.record.encoder.as_str()),
        ("embedding", embedding.as_str()),
        ("weights_sha256", weights.sha256.as_str()),
        ("selfsame_version", env!("CARGO_PKG_VERSION")),
    ];
    let (name, dim) = match arguments.inputs {
        true => ("inputs", run.record.input_size.iter().product()),
        false => ("embeddings", embedder.encoder.feature_dim()),
    };
    let mut file = Embeddings::create(&arguments.out, arguments.force, &rows, dim, &facts)?;
    let counter = Counter::new(bars);
    for (part, source) in parts.iter().zip(&sources) {
        let doing = if arguments.inputs { "preparing" } else { "embedding" };
        let what = format!("{doing} {} images", part.split.name());
        let mut done = 0;
        counter.show(&what, done, source.len());
        let batches: Box<dyn Iterator<Item = _>> = match arguments.inputs {
            true => Box::new(embedder.inputs(source)),
            false => Box::new(embedder.batches(source)),
        };
        for batch in batches {
            let batch = batch?;
            done += batch.size()[0] as usize;
            file.push(&batch)?;
            counter.show(&what, done, source.len());
        }
    }
    drop(counter);
    let files = file.finish()?;
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Ok(format!("{} {name} of length {dim} in {}", rows.ids.len(), files.join(" and ")))
}

/// What is known of all parts' samples, one part after the other.
fn rows(parts: &[Part], classes: &[String]) -> Rows {
    let mut targets = parts.first().map_or(Targets::None, |part| part.targets(classes.len()));
    for part in parts.iter().skip(1) {
        targets = match (targets, part.targets(classes.len())) {
            (Targets::Classes(some), Targets::Classes(more)) => Targets::Classes([some, more].concat()),
            (Targets::Multilabel(some), Targets::Multilabel(more)) => Targets::Multilabel([some, more].concat()),
            (Targets::None, Targets::None) => Targets::None,
            _ => {
                tracing::warn!("not all splits have labels, so none are written; embed the splits one by one for them");
                targets = Targets::None;
                break;
            }
        };
    }
    Rows {
        ids: parts.iter().flat_map(Part::ids).collect(),
        splits: parts.iter().flat_map(|part| std::iter::repeat_n(part.split, part.len())).collect(),
        targets,
        groups: parts.iter().map(Part::groups).collect::<Option<Vec<_>>>().map(|groups| groups.concat()),
        classes: classes.to_vec(),
    }
}
