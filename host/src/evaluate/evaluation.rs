//! The result of one protocol, as it is written into a run's folder.

use super::classifier::Classifier;
use super::protocol::Protocol;
use super::trained::WeightsOrigin;
use crate::error::Error;
use crate::native;
use crate::probe::{RESAMPLES, ScoredPredictions, Scores, intervals};
use crate::regular_file;
use crate::run::record::PluginFile;
use crate::samples::Skipped;
use crate::storage::{Disk, Naming, sha256_of_bytes, write_atomically};
use selfsame_plugin_api::{Card, Split, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// The folder of results in a run's folder.
pub const EVALUATIONS_DIR: &str = "evaluations";

/// What one seed predicted.
pub struct Prediction {
    /// The seed.
    pub seed: u64,
    /// Of each scored sample and class, `[N, classes]` in float64.
    pub probabilities: Tensor,
    /// What predicts; none for kNN.
    pub classifier: Option<Classifier>,
    /// Settings that were chosen on the training split.
    pub(super) chosen: BTreeMap<String, Value>,
    pub(super) scored: ScoredPredictions,
}

impl Prediction {
    /// The probabilities, sample by sample.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn rows(&self) -> Result<Vec<f64>, Error> {
        Ok(Vec::try_from(self.probabilities.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_flatten(0, -1)?)?)
    }
}

/// What a protocol came to, before it is scored.
pub struct ProtocolOutput {
    pub(super) protocol: Protocol,
    pub(super) recipe: Value,
    /// One for each seed.
    pub predictions: Vec<Prediction>,
    /// The patient of each scored sample.
    pub(super) groups: Option<Vec<String>>,
}

/// One protocol's result. It holds no time, so that evaluating twice gives equal files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How the encoder was judged.
    pub protocol: Protocol,
    /// The data set's name.
    pub dataset: String,
    /// The split that was scored.
    pub split: Split,
    /// Its samples.
    pub samples: usize,
    /// Samples that the protocol learnt from.
    pub train_samples: usize,
    /// Scores by name, over all seeds.
    pub metrics: BTreeMap<String, MetricSummary>,
    /// What the intervals stand on.
    pub intervals: Intervals,
    /// Each class against all others, over all seeds.
    pub classes: Vec<ClassResult>,
    /// Row by true class, column by predicted class: counts, summed over seeds. Empty for multilabel.
    pub confusion: Vec<Vec<u64>>,
    /// Of the second class of two, for the first seed; none for other tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curves: Option<ThresholdCurves>,
    /// Each seed alone.
    pub seeds: Vec<SeedResult>,
    /// The protocol's settings.
    pub recipe: Value,
    /// Where the evaluation departed from the run and from the protocol's defaults, as `KEY=VALUE`.
    #[serde(default)]
    pub settings: Vec<String>,
    /// What has to be known of the scores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Samples that cannot be read and were left out, by split.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: Skipped,
    /// The weights that were evaluated.
    pub weights: WeightsOrigin,
    /// Name of the encoder.
    pub encoder: String,
    /// Which of the run's encoders that is, in words.
    #[serde(default)]
    pub embedding: String,
    /// Versions of this program and of libtorch.
    pub versions: BTreeMap<String, String>,
    /// The plugin files that were opened.
    pub plugins: Vec<PluginFile>,
}

/// What every threshold of the second class's probability comes to; at most about 400 points of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdCurves {
    /// False positive rate and true positive rate (sensitivity).
    pub roc: Vec<[f64; 2]>,
    /// Recall and precision.
    pub precision_recall: Vec<[f64; 2]>,
}

impl ThresholdCurves {
    fn of(scored: &ScoredPredictions) -> Option<Self> {
        let ranking = (scored.task() == Task::Binary).then(|| scored.rankings().get(1)?.as_ref()).flatten()?;
        Some(Self { roc: thinned(ranking.roc()?), precision_recall: thinned(ranking.precision_recall()?) })
    }
}

/// The curve without points that lie closer to the one before than an eye can see; its ends stay.
fn thinned(curve: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    const CLOSE: f64 = 0.005;
    let mut kept: Vec<[f64; 2]> = Vec::new();
    let last = curve.len().saturating_sub(1);
    for (at, point) in curve.into_iter().enumerate() {
        let near = kept.last().is_some_and(|kept| (0..2).all(|axis| (point[axis] - kept[axis]).abs() < CLOSE));
        if !near || at == last {
            kept.push(point);
        }
    }
    kept
}

/// A score over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// Mean over the seeds.
    pub mean: f64,
    /// Standard deviation over the seeds (n − 1); none for a single one.
    pub std: Option<f64>,
    /// 95 % interval of the mean, from resampling the scored samples; none where it was not computed.
    pub interval: Option<[f64; 2]>,
}

/// What the intervals stand on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// How they were computed.
    pub method: String,
    /// Number of resamples.
    pub resamples: usize,
    /// Whether whole groups (patients) were drawn.
    pub by_group: bool,
}

/// One class against all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassResult {
    /// The class.
    pub name: String,
    /// Scored samples of it.
    pub support: u64,
    /// Share of the samples predicted as it that are of it.
    pub precision: f64,
    /// Share of its samples that are predicted as it.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// One against the rest; none where the split has only one of the two.
    pub auroc: Option<f64>,
}

/// One seed's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// Settings that were chosen on the training split.
    pub chosen: BTreeMap<String, Value>,
    /// Scores by name.
    pub metrics: BTreeMap<String, f64>,
}

/// What was evaluated, for the record.
pub struct EvaluatedModel<'a> {
    /// The data set.
    pub card: &'a Card,
    /// The split that was scored.
    pub split: Split,
    /// Samples of the training split.
    pub train_samples: usize,
    /// Where the evaluation departs from the run and from the protocol's defaults, as `KEY=VALUE`.
    pub settings: Vec<String>,
    /// What has to be known of the scores.
    pub warnings: Vec<String>,
    /// The weights.
    pub weights: WeightsOrigin,
    /// Name of the encoder.
    pub encoder: String,
    /// Which of the run's encoders that is, in words.
    pub embedding: String,
    /// Samples that cannot be read and were left out, by split.
    pub left_out: Skipped,
    /// The plugin files that were opened.
    pub plugins: Vec<PluginFile>,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Evaluation {
    /// Scores a verdict.
    pub fn new(verdict: &ProtocolOutput, subject: EvaluatedModel<'_>) -> Self {
        let ProtocolOutput { protocol, recipe, predictions, groups } = verdict;
        let samples = predictions.first().map_or(0, |first| first.scored.samples());
        let all: Vec<&ScoredPredictions> = predictions.iter().map(|prediction| &prediction.scored).collect();
        let by_seed: Vec<Scores> = all.iter().map(|scored| scored.scores()).collect();
        let names: Vec<&str> =
            all.first().map(|first| first.weighted(&|_| 1.0)).into_iter().flatten().map(|s| s.0.name).collect();
        let bounds = intervals(samples, groups.as_deref(), subject.seed, |weights| {
            let drawn: Vec<Scores> = all.iter().map(|scored| scored.weighted(&|sample| weights[sample])).collect();
            (0..names.len()).map(|at| mean(drawn.iter().map(|scores| scores[at].1))).collect()
        });
        let bounds: BTreeMap<&str, [f64; 2]> =
            names.iter().zip(bounds).filter_map(|(name, bounds)| Some((*name, bounds?))).collect();
        let mut metrics = BTreeMap::new();
        for (at, (score, _)) in by_seed.first().into_iter().flatten().enumerate() {
            let values: Option<Vec<f64>> = by_seed.iter().map(|scores| scores[at].1).collect();
            let Some(values) = values else { continue };
            let measure = MetricSummary::of(&values, bounds.get(score.name).copied());
            metrics.insert(score.name.to_owned(), measure);
        }
        let seeds = predictions
            .iter()
            .zip(&by_seed)
            .map(|(prediction, scores)| SeedResult {
                seed: prediction.seed,
                chosen: prediction.chosen.clone(),
                metrics: scores.iter().filter_map(|(score, value)| Some((score.name.to_owned(), (*value)?))).collect(),
            })
            .collect();
        let versions = [
            ("selfsame", env!("CARGO_PKG_VERSION")),
            ("libtorch", native::libtorch_version()),
            ("tch", native::TCH_VERSION),
        ];
        Self {
            protocol: *protocol,
            dataset: subject.card.name.clone(),
            split: subject.split,
            samples,
            train_samples: subject.train_samples,
            metrics,
            intervals: Intervals {
                method: "percentile bootstrap, 95 %".into(),
                resamples: RESAMPLES,
                by_group: groups.is_some(),
            },
            classes: class_results(&subject.card.classes, &all),
            confusion: confusion(subject.card, &all),
            curves: all.first().and_then(|first| ThresholdCurves::of(first)),
            seeds,
            recipe: recipe.clone(),
            settings: subject.settings,
            warnings: subject.warnings,
            weights: subject.weights,
            encoder: subject.encoder,
            embedding: subject.embedding,
            left_out: subject.left_out,
            versions: versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into(),
            plugins: subject.plugins,
        }
    }

    /// What the files of the result are called, in the run's folder: `evaluations/PROTOCOL-DATASET-SPLIT`, `suffix`, and where
    /// there are settings of its own, the first eight digits of their SHA-256.
    pub fn stem(&self, run: &Path, suffix: &str) -> PathBuf {
        let plain = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let dataset: String = self.dataset.chars().map(plain).collect();
        let settings = match self.settings.is_empty() {
            true => String::new(),
            false => format!("-{}", &sha256_of_bytes(self.settings.join("\n").as_bytes())[..8]),
        };
        let name = format!("{}-{dataset}-{}{suffix}{settings}", self.protocol.name(), self.split.name());
        run.join(EVALUATIONS_DIR).join(name)
    }

    /// Writes the result, replacing an earlier one in one step, and returns the file, `STEM.json`.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn write(&self, stem: &Path) -> Result<PathBuf, Error> {
        if let Some(folder) = stem.parent() {
            fs::create_dir_all(folder).naming("create", folder)?;
        }
        let path = with_ending(stem, ".json");
        let mut json =
            serde_json::to_string_pretty(self).map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
        json.push('\n');
        write_atomically(&Disk, &path, json.as_bytes())?;
        Ok(path)
    }
}

/// The stem and what follows it; a dot in the stem begins no ending.
pub fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The results in a run's folder with their files' names, sorted by name; none where nothing was evaluated. A file that is
/// no result is named in a warning.
///
/// # Errors
/// A folder that cannot be listed.
pub fn read_all(run: &Path) -> Result<Vec<(String, Evaluation)>, Error> {
    let dir = run.join(EVALUATIONS_DIR);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = fs::read_dir(&dir)
        .naming("list", &dir)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".json") && !name.starts_with('.'))
        .collect();
    names.sort_unstable();
    let read = |name: String| {
        let path = dir.join(&name);
        let text = regular_file::read_text(&path).map_err(|error| error.to_string());
        match text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string())) {
            Ok(result) => Some((name.trim_end_matches(".json").to_owned(), result)),
            Err(error) => {
                tracing::warn!("{} is no result of an evaluation, and is left out: {error}", path.display());
                None
            }
        }
    };
    Ok(names.into_iter().filter_map(read).collect())
}

impl MetricSummary {
    fn of(values: &[f64], interval: Option<[f64; 2]>) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Self { mean, std: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()), interval }
    }
}

/// The mean, where all are defined.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn class_results(names: &[String], all: &[&ScoredPredictions]) -> Vec<ClassResult> {
    let scores: Vec<_> = all.iter().map(|scored| scored.class_scores(&|_| 1.0)).collect();
    let aurocs: Vec<_> = all.iter().map(|scored| scored.class_auroc()).collect();
    let result = |(class, name): (usize, &String)| {
        let over_seeds = |of: &dyn Fn(usize) -> f64| (0..all.len()).map(of).sum::<f64>() / all.len() as f64;
        ClassResult {
            name: name.clone(),
            support: scores.first().map_or(0.0, |scores| scores[class].support) as u64,
            precision: over_seeds(&|seed| scores[seed][class].precision),
            recall: over_seeds(&|seed| scores[seed][class].recall),
            f1: over_seeds(&|seed| scores[seed][class].f1),
            auroc: mean(aurocs.iter().map(|auroc| auroc[class])),
        }
    };
    names.iter().enumerate().map(result).collect()
}

fn confusion(card: &Card, all: &[&ScoredPredictions]) -> Vec<Vec<u64>> {
    if card.task == Task::Multilabel {
        return Vec::new();
    }
    let counts: Vec<_> = all.iter().map(|scored| scored.confusion(&|_| 1.0)).collect();
    let classes = card.classes.len();
    let cell = |truth: usize, predicted: usize| counts.iter().map(|c| c.row(truth)[predicted] as u64).sum();
    (0..classes).map(|truth| (0..classes).map(|predicted| cell(truth, predicted)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_curve_keeps_its_ends_and_its_corners() {
        let dense: Vec<[f64; 2]> = (0..=10_000).map(|at| [f64::from(at) / 1e4, (f64::from(at) / 1e4).sqrt()]).collect();
        let thin = thinned(dense.clone());
        assert!(thin.len() < 400, "{}", thin.len());
        assert_eq!((thin.first(), thin.last()), (dense.first(), dense.last()));
        let corner = [[0.0, 0.0], [0.0, 1.0], [0.001, 1.0], [1.0, 1.0]];
        assert_eq!(thinned(corner.to_vec()), [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
        assert_eq!(thinned(Vec::new()), Vec::<[f64; 2]>::new());
    }

    #[test]
    fn the_deviation_over_seeds_is_that_of_a_sample() {
        let measure = MetricSummary::of(&[0.5, 0.7], None);
        assert!((measure.mean - 0.6).abs() < 1e-12 && (measure.std.unwrap() - 0.02_f64.sqrt()).abs() < 1e-12);
        assert_eq!(MetricSummary::of(&[0.5], None).std, None);
    }
}
