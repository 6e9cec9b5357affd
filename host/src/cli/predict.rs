//! `selfsame predict`: classes of new images.

use super::args::{Cli, PredictArgs};
use super::evaluate::splits;
use super::failure::Failure;
use super::print::ensure_new;
use super::{new_images, open};
use crate::config::Config;
use crate::error::Error;
use crate::evaluate::{self, AboutClassifier, Classifier, TrainedRun, WeightsOrigin};
use crate::output::counter::Counter;
use crate::output::host_services::HostServices;
use crate::output::predictions::{PredictedImages, PredictionTable};
use crate::plugin::Registry;
use crate::probe::Objective;
use crate::run::state;
use crate::samples::splits::Part;
use crate::storage::{Disk, write_atomically};
use crate::train::compute::Compute;
use indicatif::MultiProgress;
use selfsame_plugin_api::Targets;
use std::path::Path;

/// Classifies all images of a folder, in the order of their data set; the table, or what was written.
pub fn predict(cli: &Cli, arguments: &PredictArgs, bars: &MultiProgress) -> Result<String, Failure> {
    let format = arguments.out.as_deref().map(|out| format(out, arguments.force)).transpose()?;
    let registry = open::registry(&cli.common);
    let services = HostServices::new(bars, &|| false);
    let run = TrainedRun::open(&arguments.run)?;
    let PredictArgs { dataset, on, sets, .. } = arguments;
    let (resolved, config) = new_images::configured(&run, &registry, dataset.as_deref(), on, sets)?;
    let table = predicted(&registry, arguments, bars, &services, &run, &config)
        .map_err(|failure| open::naming_path(&resolved, failure))?;
    let Some((out, format)) = arguments.out.as_deref().zip(format) else { return Ok(table.csv()?) };
    match format {
        Format::Csv => write_atomically(&Disk, out, table.csv()?.as_bytes()).map_err(Error::from)?,
        Format::Parquet => table.write_parquet(out)?,
    }
    Ok(format!("{} predictions in {}", table.rows(), out.display()))
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Parquet,
}

fn format(out: &Path, force: bool) -> Result<Format, Failure> {
    ensure_new(out, force)?;
    match out.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(Format::Csv),
        Some("parquet") => Ok(Format::Parquet),
        _ => Err(Failure::usage(format!("{}: expected a name that ends in .csv or .parquet", out.display()))),
    }
}

fn predicted(
    registry: &Registry,
    arguments: &PredictArgs,
    bars: &MultiProgress,
    services: &HostServices,
    run: &TrainedRun,
    config: &Config,
) -> Result<PredictionTable, Failure> {
    let compute = Compute::select(config)?;
    let (method, weights) = run.load(registry, compute.device)?;
    let (classifier, about) = classifier(run, arguments, &weights)?;
    if let Some(tuned) = classifier.encoder() {
        state::restore(&state::encoder_tensors(method.encoder()), tuned)?;
    }
    let splits = splits(config, registry, services)?;
    let parts = splits.existing()?.into_iter().map(|split| Ok(splits.open(split)?.sorted()));
    let mut parts = parts.collect::<Result<Vec<_>, Error>>()?;
    let read = |part: &mut Part| splits.read(part, compute.device, &[]);
    let sources = parts.iter_mut().map(read).collect::<Result<Vec<_>, Error>>()?;
    services.clear();

    let views = evaluate::views(config, &config.augmentation, splits.card(), &run.record)?;
    let embedder = compute.embedder(method.encoder(), &views);
    let objective = Objective::new(about.task, about.classes.len(), None)?;
    let counter = Counter::new(bars);
    let mut probabilities = Vec::new();
    for source in &sources {
        let features = embedder.embed(source, "classifying images", &|what, done, of| counter.show(what, done, of))?;
        let rows = objective.probabilities(&classifier.logits(&features)?)?.f_flatten(0, -1).map_err(Error::from)?;
        probabilities.extend(Vec::<f64>::try_from(rows).map_err(Error::from)?);
    }
    drop(counter);
    let several = parts.len() > 1;
    let images = PredictedImages {
        ids: parts.iter().flat_map(Part::ids).collect(),
        splits: several.then(|| parts.iter().flat_map(|part| vec![part.split.name(); part.len()]).collect()),
        groups: parts.iter().map(Part::groups).collect::<Option<Vec<_>>>().map(|groups| groups.concat()),
        // What the images may be labelled with need not be the classes that the classifier knows.
        targets: Targets::None,
    };
    Ok(PredictionTable::new(&images, about.task, &about.classes, &[(None, probabilities)]))
}

/// The classifier that is named, or the only one that was kept of these weights.
fn classifier(
    run: &TrainedRun,
    arguments: &PredictArgs,
    weights: &WeightsOrigin,
) -> Result<(Classifier, AboutClassifier), Failure> {
    if let Some(path) = &arguments.classifier {
        let (classifier, about) = Classifier::read(path)?;
        return match about.weights_sha256 == weights.sha256 {
            true => Ok((classifier, about)),
            false => Err(Failure::usage(format!(
                "{} was learned on other weights than {} of this run; name a classifier of this run, or the checkpoint that \
                 it was learned on",
                path.display(),
                weights.file
            ))),
        };
    }
    let mut fitting = Vec::new();
    for path in evaluate::kept(&run.folder)? {
        let (classifier, about) = Classifier::read(&path)?;
        if about.weights_sha256 == weights.sha256 {
            fitting.push((path, classifier, about));
        }
    }
    match fitting.as_slice() {
        [_, _, ..] => {
            let names: Vec<_> = fitting.iter().map(|(path, ..)| path.display().to_string()).collect();
            Err(Failure::usage(format!(
                "several classifiers were kept; name one with --classifier: {}",
                names.join(", ")
            )))
        }
        _ => fitting.pop().map(|(_, classifier, about)| (classifier, about)).ok_or_else(|| {
            Failure::usage(format!(
                "no classifier of this encoder was kept; make one with `selfsame evaluate {} --protocol linear --keep`",
                arguments.run.display()
            ))
        }),
    }
}
