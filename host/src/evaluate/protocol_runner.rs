//! The protocols, run on one encoder and one data set.

use super::classifier::Classifier;
use super::evaluation::{Prediction, ProtocolOutput};
use super::protocol::Protocol;
use crate::augment::Views;
use crate::config::Config;
use crate::config::schema::{AugmentationConfig, RandomCropConfig};
use crate::data::{Source, split};
use crate::error::Error;
use crate::probe::caveats::{self, Labels};
use crate::probe::{
    self, AugmentedRecipe, Cut, Embedder, FinetuneRecipe, L2_GRID, Labelled, LinearModel, Objective, Progress, Spread,
};
use crate::run::record::RunRecord;
use crate::run::state;
use crate::samples::Skipped;
use crate::samples::splits::{Part, Splits};
use crate::train::compute::Compute;
use selfsame_encoder_api::Encoder;
use selfsame_plugin_api::{Card, Split, Targets, Task};
use serde::Serialize;
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use tch::Tensor;

/// Share of the training split that settings are chosen on.
const CHOICE_FRACTION: f64 = 0.1;

/// How the protocols learn; kNN's settings are the configuration's `knn.*`.
#[derive(Debug, Clone, Default)]
pub struct Recipes {
    /// Of `linear-aug`.
    pub augmented: AugmentedRecipe,
    /// Of `finetune`.
    pub finetune: FinetuneRecipe,
    /// Seeds of every protocol but kNN; none: [`Protocol::default_seeds`].
    pub seeds: Option<usize>,
}

/// A split with its pixels, labels and features.
struct Loaded {
    source: Source,
    labels: Tensor,
    targets: Targets,
    groups: Option<Vec<String>>,
    features: OnceCell<Tensor>,
}

/// What a protocol came to for one seed.
struct Predicted {
    probabilities: Tensor,
    classifier: Option<Classifier>,
    chosen: BTreeMap<String, Value>,
}

/// An encoder, a data set's training split, and the split that is scored.
pub struct ProtocolRunner<'a> {
    config: &'a Config,
    card: &'a Card,
    compute: Compute,
    encoder: &'a dyn Encoder,
    plain: Views,
    augmented: Views,
    train: Loaded,
    scored: Loaded,
    scored_split: Split,
    scored_ids: Vec<String>,
    progress: &'a Progress<'a>,
}

impl<'a> ProtocolRunner<'a> {
    /// Reads the data. `record` says which images the encoder knows.
    ///
    /// # Errors
    /// A data set without labels or with another number of channels; what the plugin says.
    pub fn new(
        config: &'a Config,
        splits: &'a Splits<'_>,
        mut scored: Part,
        compute: Compute,
        encoder: &'a dyn Encoder,
        record: &RunRecord,
        progress: &'a Progress<'a>,
    ) -> Result<Self, Error> {
        let card = splits.card();
        let load = |part: &mut Part| -> Result<Loaded, Error> {
            let source = splits.read(part, compute.device, &[])?;
            let Some(labels) = source.labels().filter(|_| card.task != Task::None) else {
                return Err(Error::data(format!(
                    "the {} split of data set {} has no labels to evaluate with; name a split that has some with \
                     `--split`, or a labelled data set with `--dataset`",
                    part.split.name(),
                    card.name
                )));
            };
            let labels = labels.f_to_device(compute.device)?;
            let targets = part.targets(card.classes.len());
            Ok(Loaded { labels, targets, groups: part.groups(), source, features: OnceCell::new() })
        };
        let (train, loaded) = (load(&mut splits.open(Split::Train)?)?, load(&mut scored)?);
        let (scored_split, scored_ids) = (scored.split, scored.ids());
        let plain = views(config, &config.augmentation, card, record)?;
        let augmented = views(config, &crop_and_flip(&config.augmentation), card, record)?;
        Ok(Self {
            config,
            card,
            compute,
            encoder,
            plain,
            augmented,
            train,
            scored: loaded,
            scored_split,
            scored_ids,
            progress,
        })
    }

    /// Facts about the data set.
    pub fn card(&self) -> &Card {
        self.card
    }

    /// Samples of the training split and of the scored one.
    pub fn sizes(&self) -> (usize, usize) {
        (self.train.source.len(), self.scored.source.len())
    }

    /// The scored samples: ids, groups where there are any, and labels, in the order of the predictions.
    pub fn scored_samples(&self) -> (&[String], Option<&[String]>, &Targets) {
        (&self.scored_ids, self.scored.groups.as_deref(), &self.scored.targets)
    }

    /// The samples of both that cannot be read, by split.
    pub fn left_out(&self) -> Skipped {
        let parts = [(Split::Train, &self.train.source), (self.scored_split, &self.scored.source)];
        let listed = parts.into_iter().filter(|(_, source)| !source.damaged().is_empty());
        listed.map(|(split, source)| (split.name().to_owned(), source.damaged().to_vec())).collect()
    }

    /// Runs one protocol. The encoder's weights are as before when it returns.
    ///
    /// # Errors
    /// What the encoder or libtorch refuses.
    pub fn run(&self, protocol: Protocol, recipes: &Recipes) -> Result<ProtocolOutput, Error> {
        let seeds = if protocol == Protocol::Knn { 1 } else { recipes.seeds.unwrap_or(protocol.default_seeds()) };
        let balanced = self.config.train.self_supervision.use_balanced_binary_loss_for_linear_head;
        let objective =
            Objective::new(self.card.task, self.card.classes.len(), balanced.then_some(&self.train.labels))?;
        let mut predictions = Vec::new();
        for seed in (0..seeds as u64).map(|nth| self.config.train.seed.wrapping_add(nth)) {
            let Predicted { probabilities, classifier, chosen } = match protocol {
                Protocol::Knn => self.knn()?,
                Protocol::Linear => self.linear(&objective, seed)?,
                Protocol::LinearAug => self.linear_aug(&objective, &recipes.augmented, seed)?,
                Protocol::Finetune => self.finetune(&objective, &recipes.finetune, seed)?,
            };
            let scored = probe::ScoredPredictions::new(self.card.task, &probabilities, &self.scored.labels)?;
            predictions.push(Prediction { seed, probabilities, classifier, chosen, scored });
        }
        let recipe = match protocol {
            Protocol::Knn => json!({
                "k": self.config.knn.k.min(self.train.source.len()), "temperature": self.config.knn.temperature, "similarity": "cosine"
            }),
            Protocol::Linear => json!({
                "optimizer": "L-BFGS", "l2": L2_GRID, "standardized": true, "balanced": balanced,
                "choice_fraction": CHOICE_FRACTION
            }),
            Protocol::LinearAug => with(
                &recipes.augmented,
                json!({
                    "optimizer": "SGD", "schedule": "cosine", "starts_from": "the linear protocol",
                    "standardized": true, "balanced": balanced,
                    "choice_fraction": CHOICE_FRACTION, "views": crop_and_flip(&self.config.augmentation)
                }),
            ),
            Protocol::Finetune => with(
                &recipes.finetune,
                json!({
                    "optimizer": "AdamW", "schedule": "cosine", "starts_from": "the linear protocol", "balanced": balanced,
                    "views": crop_and_flip(&self.config.augmentation)
                }),
            ),
        };
        Ok(ProtocolOutput { protocol, recipe, predictions, groups: self.scored.groups.clone() })
    }

    /// What has to be known of a protocol's scores.
    ///
    /// # Errors
    /// What the encoder or libtorch refuse.
    pub fn caveats(&self, protocol: Protocol) -> Result<Vec<String>, Error> {
        let k = (protocol == Protocol::Knn).then_some(self.config.knn.k);
        let patients = |loaded: &Loaded| Some(loaded.groups.as_ref()?.iter().collect::<BTreeSet<_>>().len());
        let [train, scored] = [(Split::Train, &self.train), (self.scored_split, &self.scored)]
            .map(|(split, loaded)| Labels { split, labels: &loaded.labels, groups: patients(loaded) });
        let mut found = caveats::of_labels(self.card.task, &self.card.classes, k, train, scored)?;
        let spread = Spread::of(self.features(&self.train, "embedding the training split")?)?;
        found.extend(caveats::of_features(spread));
        Ok(found)
    }

    fn knn(&self) -> Result<Predicted, Error> {
        let bank = self.features(&self.train, "embedding the training split")?;
        let queries = self.features(&self.scored, "embedding the scored split")?;
        let bank = (bank, &self.train.labels);
        let probabilities = probe::knn_votes(&self.config.knn, self.card.classes.len(), bank, queries)?;
        Ok(Predicted { probabilities, classifier: None, chosen: BTreeMap::new() })
    }

    fn linear(&self, objective: &Objective, seed: u64) -> Result<Predicted, Error> {
        let queries = self.features(&self.scored, "embedding the scored split")?;
        let (model, l2) = self.linear_model(objective, seed)?;
        let probabilities = objective.probabilities(&model.logits(queries)?)?;
        let classifier = Some(Classifier::of_frozen(model.on_raw_features()?));
        Ok(Predicted { probabilities, classifier, chosen: BTreeMap::from([("l2".to_owned(), json!(l2))]) })
    }

    fn linear_model(&self, objective: &Objective, seed: u64) -> Result<(LinearModel, f64), Error> {
        let features = self.features(&self.train, "embedding the training split")?;
        (self.progress)("choosing the strength of L2", 0, L2_GRID.len());
        Ok(probe::tuned_linear(objective, features, &self.train.labels, &self.cut(seed))?)
    }

    fn linear_aug(&self, objective: &Objective, recipe: &AugmentedRecipe, seed: u64) -> Result<Predicted, Error> {
        let plain = self.features(&self.train, "embedding the training split")?;
        let queries = self.features(&self.scored, "embedding the scored split")?;
        let train = Labelled { source: &self.train.source, labels: &self.train.labels };
        let embedder = self.embedder(&self.augmented);
        let (model, learning_rate) =
            probe::augmented_probe(objective, &embedder, train, plain, &self.cut(seed), recipe, seed, self.progress)?;
        let chosen = BTreeMap::from([("learning_rate".to_owned(), json!(learning_rate))]);
        let probabilities = objective.probabilities(&model.logits(queries)?.detach())?;
        let (weight, bias) = model.on_raw_features()?;
        let classifier = Some(Classifier::of_frozen((weight.f_detach()?, bias.f_detach()?)));
        Ok(Predicted { probabilities, classifier, chosen })
    }

    fn finetune(&self, objective: &Objective, recipe: &FinetuneRecipe, seed: u64) -> Result<Predicted, Error> {
        let (start, l2) = self.linear_model(objective, seed)?;
        let tensors = state::encoder_tensors(self.encoder);
        let before: BTreeMap<String, Tensor> = tensors
            .iter()
            .map(|(name, tensor)| Ok((name.clone(), tensor.f_detach_copy()?)))
            .collect::<Result<_, tch::TchError>>()?;
        let train = Labelled { source: &self.train.source, labels: &self.train.labels };
        let embedder = self.embedder(&self.augmented);
        let learn = || -> Result<(Tensor, Classifier), Error> {
            let learnt = probe::finetune(objective, &embedder, train, &start, recipe, seed, self.progress)?;
            let classifier = Classifier::of_tuned(learnt, &tensors)?;
            let features = embedder.embed(&self.scored.source, "embedding the scored split", self.progress)?;
            Ok((objective.probabilities(&classifier.logits(&features)?)?, classifier))
        };
        let learnt = learn();
        state::restore(&tensors, &before)?;
        let (probabilities, classifier) = learnt?;
        let chosen = BTreeMap::from([("start_l2".to_owned(), json!(l2))]);
        Ok(Predicted { probabilities, classifier: Some(classifier), chosen })
    }

    fn embedder<'s>(&'s self, views: &'s Views) -> Embedder<'s> {
        self.compute.embedder(self.encoder, views)
    }

    /// A split's features, computed once.
    fn features<'s>(&self, loaded: &'s Loaded, what: &str) -> Result<&'s Tensor, Error> {
        if let Some(features) = loaded.features.get() {
            return Ok(features);
        }
        let features = self.embedder(&self.plain).embed(&loaded.source, what, self.progress)?;
        Ok(loaded.features.get_or_init(|| features))
    }

    /// A cut of the training split that settings are chosen on: never validation, never test.
    fn cut(&self, seed: u64) -> Cut {
        let Loaded { source, targets, groups, .. } = &self.train;
        let parts = split::cut(source.len(), targets, groups.as_deref(), CHOICE_FRACTION, seed);
        if parts.val.is_empty() {
            tracing::warn!(
                "the training split has too few samples of each class to choose settings on a part of it; the linear \
                 probe takes L2 = 1/N"
            );
        }
        Cut { fit: parts.train, held: parts.val }
    }
}

/// The views of a data set's images under an augmentation: of the size that the encoder knows, and normalised as the images
/// that it learnt from.
///
/// # Errors
/// Images of another number of channels, and parameters that do not fit the images.
pub fn views(
    config: &Config,
    augmentation: &AugmentationConfig,
    card: &Card,
    record: &RunRecord,
) -> Result<Views, Error> {
    let (channels, size) = record.encoder_input();
    let size = record.image_size.unwrap_or(size);
    let statistics = record.normalization.as_ref().map(|statistics| (statistics.mean.clone(), statistics.std.clone()));
    let views = Views::new(augmentation, &config.preprocess, card.channels, size, statistics)?;
    if views.output_channels() != channels {
        return Err(Error::configuration(format!(
            "data set {} has images of {} channels, the encoder was trained on {channels}",
            card.name, card.channels
        )));
    }
    Ok(views)
}

/// Random crop and flip alone: the run's own where its first view has them; else a crop of 8 % to 100 % of the area, and no
/// flip.
fn crop_and_flip(run: &AugmentationConfig) -> AugmentationConfig {
    let views = run.resolved_views().unwrap_or_default();
    let run = views.first().map_or(run, |view| &view.settings);
    let random_crop = if run.use_random_crop {
        run.random_crop.clone()
    } else {
        RandomCropConfig { scale: [0.08, 1.0], ..RandomCropConfig::default() }
    };
    AugmentationConfig {
        use_random_crop: true,
        random_crop,
        use_random_horizontal_flip: run.use_random_horizontal_flip,
        random_horizontal_flip: run.random_horizontal_flip.clone(),
        normalize: run.normalize,
        ..AugmentationConfig::default()
    }
}

/// A recipe's fields, and more of them.
fn with(recipe: &impl Serialize, more: Value) -> Value {
    let mut fields = serde_json::to_value(recipe).unwrap_or_default();
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}
