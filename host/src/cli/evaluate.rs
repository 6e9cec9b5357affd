//! `selfsame evaluate`: a trained encoder against labels.

use super::args::{Cli, EvaluateArgs, TrainedArgs};
use super::failure::Failure;
use super::open;
use crate::config::Config;
use crate::error::Error;
use crate::evaluate::{
    self, AboutClassifier, CLASSIFIER_SUFFIX, EvaluatedModel, Evaluation, Protocol, ProtocolOutput, ProtocolRunner,
    Recipes, TrainedRun,
};
use crate::output::counter::Counter;
use crate::output::host_services::HostServices;
use crate::output::predictions::{PredictedImages, PredictionTable};
use crate::plugin::Registry;
use crate::probe::Warnings;
use crate::run::record::{PluginFile, changed_plugins};
use crate::samples;
use crate::samples::splits::Splits;
use crate::train::compute::Compute;
use indicatif::MultiProgress;
use selfsame_plugin_api::Services;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Runs the protocols, writes their results into the run's folder, and returns them as tables or JSON.
pub fn evaluate(cli: &Cli, arguments: &EvaluateArgs, bars: &MultiProgress) -> Result<String, Failure> {
    let registry = open::registry(&cli.common);
    let protocols = protocols(arguments);
    warn_of_idle_options(arguments, &protocols);
    let services = HostServices::new(bars, &|| false);
    let (run, mut sets) = open::encoder(&arguments.trained.encoder, &registry, &services)?;
    ensure_run_of_untrained(arguments.untrained, &run)?;
    if arguments.keep {
        if !run.is_run() {
            return Err(Failure::usage("`--keep` writes into a run's folder; leave it out with `--init`"));
        }
        if protocols == [Protocol::Knn] {
            tracing::warn!("`--keep` has no effect on knn, which learns no classifier; take `--protocol linear`");
        }
    }
    sets.extend(arguments.k.map(|k| format!("knn.k={k}")));
    sets.extend(arguments.temperature.map(|temperature| format!("knn.temperature={temperature}")));
    let resolved = run.configured(dataset(&arguments.trained), &sets)?;
    evaluated(&registry, arguments, bars, &services, &run, &resolved.config, protocols)
        .map_err(|failure| open::naming_path(&resolved, failure))
}

fn evaluated(
    registry: &Registry,
    arguments: &EvaluateArgs,
    bars: &MultiProgress,
    services: &HostServices,
    run: &TrainedRun,
    config: &Config,
    protocols: Vec<Protocol>,
) -> Result<String, Failure> {
    let compute = Compute::select(config)?;
    let (method, weights, embedding) = run.chosen(arguments.untrained, registry, compute.device)?;
    let suffix = if arguments.untrained { "-untrained".to_owned() } else { run.suffix() };

    let splits = splits(config, registry, services)?;
    let scored = splits.open(arguments.split.unwrap_or(splits.default_scored()))?;
    let split = scored.split;
    let counter = Counter::new(bars);
    let progress = |what: &str, done, total| counter.show(what, done, total);
    let bench = ProtocolRunner::new(config, &splits, scored, compute, method.encoder(), &run.record, &progress)?;
    services.clear();
    let recipes = recipes(arguments);
    let mut departures = run.departures(config)?;
    if warn_of_other_samples(run, &arguments.trained, &splits)? {
        departures.push("samples=other than the run's".to_owned());
    }
    let (mut results, mut said) = (Vec::new(), Warnings::default());
    let plugins: Vec<PluginFile> = registry.used().into_iter().map(Into::into).collect();
    let changes = changed_plugins(&run.record.plugins, &plugins);
    changes.iter().cloned().for_each(|change| said.warn(change));
    for protocol in protocols {
        let verdict = bench.run(protocol, &recipes)?;
        let mut warnings = bench.caveats(protocol)?;
        warnings.iter().cloned().for_each(|warning| said.warn(warning));
        warnings.extend(changes.iter().cloned());
        progress("computing intervals", 0, 0);
        let result = Evaluation::new(
            &verdict,
            EvaluatedModel {
                card: splits.card(),
                split,
                train_samples: bench.sizes().0,
                settings: settings(protocol, arguments, &departures),
                warnings,
                weights: weights.clone(),
                encoder: run.record.encoder.clone(),
                embedding: embedding.clone(),
                left_out: bench.left_out(),
                plugins: plugins.clone(),
                seed: config.train.seed,
            },
        );
        // Given weights have no folder for results; `--json` prints all of them.
        let files = match run.is_run() {
            true => write(&bench, &verdict, &result, &result.stem(&run.folder, &suffix), arguments.keep)?,
            false => Vec::new(),
        };
        results.push((files, result));
    }
    drop(counter);
    if arguments.json {
        let results: Vec<_> = results.iter().map(|(_, result)| result).collect();
        return serde_json::to_string_pretty(&results).map_err(|error| Failure::data(error.to_string()));
    }
    let mut text = String::new();
    if let Some((_, first)) = results.first() {
        let step =
            first.weights.step.filter(|step| *step > 0).map(|step| format!(" after step {step}")).unwrap_or_default();
        let left_out: usize = first.left_out.values().map(Vec::len).sum();
        let left_out = if left_out > 0 { format!(", {left_out} that cannot be read left out") } else { String::new() };
        let _ = writeln!(
            text,
            "{}{step} ({}) on {} {}: {} images scored, {} learnt from{left_out}",
            first.encoder,
            first.embedding,
            first.dataset,
            first.split.name(),
            first.samples,
            first.train_samples
        );
    }
    let named: Vec<_> = results.iter().map(|(_, result)| (result.protocol.name().to_owned(), result.clone())).collect();
    let _ = writeln!(text, "{}", evaluate::summary(&named));
    for (files, result) in &results {
        let _ = writeln!(text, "\n{}\n{}", result.protocol.name(), evaluate::tables(result));
        for file in files {
            let _ = writeln!(text, "{}", file.display());
        }
    }
    Ok(text)
}

/// Writes a result, what was predicted of each image, and with `keep` the classifier of the first seed; returns the files.
fn write(
    bench: &ProtocolRunner,
    verdict: &ProtocolOutput,
    result: &Evaluation,
    stem: &Path,
    keep: bool,
) -> Result<Vec<PathBuf>, Failure> {
    let mut files = vec![result.write(stem)?];
    let card = bench.card();
    let (ids, groups, targets) = bench.scored_samples();
    let images = PredictedImages {
        ids: ids.to_vec(),
        splits: None,
        groups: groups.map(<[String]>::to_vec),
        targets: targets.clone(),
    };
    let predictions = verdict.predictions.iter().map(|prediction| Ok((Some(prediction.seed), prediction.rows()?)));
    let table =
        PredictionTable::new(&images, card.task, &card.classes, &predictions.collect::<Result<Vec<_>, Error>>()?);
    files.push(evaluate::with_ending(stem, ".predictions.parquet"));
    table.write_parquet(&files[1])?;
    if keep && let Some(classifier) = verdict.predictions.first().and_then(|first| first.classifier.as_ref()) {
        files.push(evaluate::with_ending(stem, CLASSIFIER_SUFFIX));
        let about = AboutClassifier {
            protocol: result.protocol,
            dataset: card.name.clone(),
            task: card.task,
            classes: card.classes.clone(),
            encoder: result.encoder.clone(),
            weights_sha256: result.weights.sha256.clone(),
        };
        classifier.write(&files[2], &about)?;
    }
    Ok(files)
}

/// The splits of the configuration's first data set.
pub(super) fn splits<'a>(
    config: &'a Config,
    registry: &Registry,
    services: &'a dyn Services,
) -> Result<Splits<'a>, Failure> {
    let request = samples::requests(config)?.0.remove(0);
    Ok(Splits::prepare(config, &request, config.dataset.num_workers, registry, services)?)
}

/// Says where the run's own data set is not what it was, and returns whether that is so.
pub(super) fn warn_of_other_samples(
    run: &TrainedRun,
    arguments: &TrainedArgs,
    splits: &Splits,
) -> Result<bool, Failure> {
    let name = &splits.card().name;
    let other = arguments.dataset.is_none() && run.has_other_samples(name, &splits.digest()?);
    if other {
        tracing::warn!(
            "the training split of {name} has other samples, labels or groups than when the run was trained; its cut is \
             another, and images of `val` may have been trained on"
        );
    }
    Ok(other)
}

/// Refuses `--untrained` of weights that are no run's.
pub(super) fn ensure_run_of_untrained(untrained: bool, run: &TrainedRun) -> Result<(), Failure> {
    if untrained && !run.is_run() {
        return Err(Failure::usage(
            "`--untrained` is of a run, which says by what seed it began; leave it out with `--init`",
        ));
    }
    Ok(())
}

/// The data set that was named in place of the run's.
pub(super) fn dataset(arguments: &TrainedArgs) -> Option<(&str, Option<&std::path::Path>)> {
    Some((arguments.dataset.as_deref()?, arguments.dataset_dir.as_deref()))
}

/// Each protocol once, in the order given.
fn protocols(arguments: &EvaluateArgs) -> Vec<Protocol> {
    if arguments.protocols.is_empty() {
        return vec![Protocol::Knn, Protocol::Linear];
    }
    let mut protocols = Vec::new();
    for protocol in &arguments.protocols {
        if !protocols.contains(protocol) {
            protocols.push(*protocol);
        }
    }
    protocols
}

/// Where a protocol's result departs from the run and from the protocol's defaults.
fn settings(protocol: Protocol, arguments: &EvaluateArgs, departures: &[String]) -> Vec<String> {
    let knn = protocol == Protocol::Knn;
    let mut settings: Vec<String> =
        departures.iter().filter(|word| knn || !word.starts_with("knn.")).cloned().collect();
    let options = [
        ("seeds", arguments.seeds.map(|seeds| seeds.to_string())),
        ("epochs", arguments.epochs.map(|epochs| epochs.to_string())),
        ("batch-size", arguments.batch_size.map(|size| size.to_string())),
        ("lr", arguments.lr.map(|lr| lr.to_string())),
    ];
    let taken = options.into_iter().filter(|(name, _)| protocol.takes(name));
    settings.extend(taken.filter_map(|(name, value)| Some(format!("{name}={}", value?))));
    settings
}

/// Says which options no protocol of this call takes.
fn warn_of_idle_options(arguments: &EvaluateArgs, protocols: &[Protocol]) {
    let given = [
        ("seeds", arguments.seeds.is_some()),
        ("k", arguments.k.is_some()),
        ("temperature", arguments.temperature.is_some()),
        ("epochs", arguments.epochs.is_some()),
        ("batch-size", arguments.batch_size.is_some()),
        ("lr", arguments.lr.is_some()),
    ];
    for (name, _) in given.iter().filter(|(name, given)| *given && !protocols.iter().any(|p| p.takes(name))) {
        let names: Vec<_> = protocols.iter().map(|protocol| protocol.name()).collect();
        tracing::warn!("`--{name}` has no effect on {}", names.join(" and "));
    }
}

fn recipes(arguments: &EvaluateArgs) -> Recipes {
    let mut recipes = Recipes { seeds: arguments.seeds.map(usize::from), ..Recipes::default() };
    if let Some(epochs) = arguments.epochs {
        recipes.augmented.epochs = epochs as usize;
        recipes.finetune.epochs = epochs as usize;
    }
    if let Some(size) = arguments.batch_size {
        recipes.augmented.batch_size = size as usize;
        recipes.finetune.batch_size = size as usize;
    }
    if let Some(lr) = arguments.lr {
        recipes.finetune.learning_rate = lr;
    }
    recipes
}
