//! What is measured between epochs: embeddings of whole splits, with the encoder in eval mode.

use super::error::TrainError;
use super::session::{Compute, Data};
use crate::augment::{ViewKey, Views};
use crate::config::Config;
use crate::data::Source;
use crate::method::{Method, StepContext};
use crate::probe::{self, Embedder, HeadMetrics, LinearHead};
use selfsame_plugin_api::{Encoder, Task};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// Measures an encoder on the splits of a run.
#[derive(Clone, Copy)]
pub struct Evaluator<'a> {
    /// The run's configuration.
    pub config: &'a Config,
    /// Device and arithmetic.
    pub compute: Compute,
    /// The run's samples.
    pub data: &'a Data,
    /// The run's views.
    pub views: &'a Views,
}

impl Evaluator<'_> {
    /// What is recorded between epochs: the loss on random views of the validation split, the online head's scores, the
    /// spread of the features, and with `neighbours` the kNN score.
    ///
    /// # Errors
    /// What encoder or libtorch refuse.
    pub fn validate(
        &self,
        method: &mut dyn Method,
        head: Option<&LinearHead>,
        neighbours: bool,
    ) -> Result<BTreeMap<String, f64>, TrainError> {
        let mut metrics = BTreeMap::new();
        let Some(val) = &self.data.val else { return Ok(metrics) };
        if let Some(loss) = self.validation_loss(method, val)? {
            metrics.insert("ssl/val/loss".to_owned(), loss);
        }
        let features = embed(method.encoder(), val, self.views, self.compute)?;
        metrics.insert("features/std".to_owned(), f64::try_from(probe::feature_std(&features)?)?);
        if let (Some(head), Some(labels)) = (head, val.labels()) {
            let labels = labels.to_device(self.compute.device);
            metrics.extend(head_metrics("val", &head.evaluate(&features, &labels)?));
        }
        if neighbours && self.is_single_label() {
            let bank = embed(method.encoder(), &self.data.train, self.views, self.compute)?;
            metrics.insert("knn/val/accuracy".to_owned(), self.knn(&bank, &features, val)?);
        }
        Ok(metrics)
    }

    /// kNN and linear accuracy of frozen features on the scored split (validation, else test), by metric name; empty
    /// where there are no single labels.
    ///
    /// # Errors
    /// What encoder or libtorch refuse.
    pub fn probe(&self, encoder: &dyn Encoder) -> Result<BTreeMap<String, f64>, TrainError> {
        let mut metrics = BTreeMap::new();
        let (Some((split, scored)), true) = (self.data.scored(), self.is_single_label()) else { return Ok(metrics) };
        let bank = embed(encoder, &self.data.train, self.views, self.compute)?;
        let features = embed(encoder, scored, self.views, self.compute)?;
        metrics.insert(format!("knn/{split}/accuracy"), self.knn(&bank, &features, scored)?);
        let (Some(train_labels), Some(labels)) = (self.data.train.labels(), scored.labels()) else {
            return Ok(metrics);
        };
        let device = self.compute.device;
        let accuracy = probe::linear_probe(
            self.data.card.classes.len(),
            (&bank, &train_labels.to_device(device)),
            (&features, &labels.to_device(device)),
        )?;
        metrics.insert(format!("linear/{split}/accuracy"), accuracy);
        metrics.insert("features/std".to_owned(), f64::try_from(probe::feature_std(&features)?)?);
        Ok(metrics)
    }

    fn is_single_label(&self) -> bool {
        matches!(self.data.card.task, Task::Binary | Task::Multiclass) && self.data.train.labels().is_some()
    }

    fn knn(&self, bank: &Tensor, features: &Tensor, scored: &Source) -> Result<f64, TrainError> {
        let device = self.compute.device;
        let (Some(bank_labels), Some(labels)) = (self.data.train.labels(), scored.labels()) else {
            return Err(TrainError::data("kNN needs labels, and the data set has none"));
        };
        let score = probe::knn(
            &self.config.knn,
            self.data.card.classes.len(),
            (bank, &bank_labels.to_device(device)),
            (features, &labels.to_device(device)),
        )?;
        Ok(score.accuracy)
    }

    /// Mean loss over the validation split in batches of the training size; the last one may be smaller, and a single
    /// image, which has no negatives, is left out. The views are the same after every epoch.
    fn validation_loss(&self, method: &mut dyn Method, val: &Source) -> Result<Option<f64>, TrainError> {
        let Compute { device, autocast } = self.compute;
        let key = |view| ViewKey { seed: self.config.train.seed, epoch: VALIDATION_EPOCH, view };
        let context = StepContext { step: 0, total_steps: 1, train: false, autocast };
        let places: Vec<usize> = (0..val.len()).collect();
        let (mut sum, mut count) = (0.0, 0);
        for places in places.chunks(self.config.train.batch_size).filter(|places| places.len() > 1) {
            let batch = val.batch(places, device);
            let views = [
                self.views.train(&batch.images, &batch.ids, key(0))?,
                self.views.train(&batch.images, &batch.ids, key(1))?,
            ];
            let output = method.step(&views, &context)?;
            sum += f64::try_from(&output.loss.to_kind(Kind::Double))? * places.len() as f64;
            count += places.len();
        }
        Ok((count > 0).then(|| sum / count as f64))
    }
}

/// A head's scores under their metric names.
pub fn head_metrics(split: &str, scores: &HeadMetrics) -> Vec<(String, f64)> {
    let named = [
        ("loss", Some(scores.loss)),
        ("accuracy", Some(scores.accuracy)),
        ("auroc", scores.auroc),
        ("auprc", scores.auprc),
    ];
    named.into_iter().filter_map(|(name, value)| Some((format!("online/{split}/{name}"), value?))).collect()
}

/// Stands for no epoch, so that validation's views are none of training's.
const VALIDATION_EPOCH: u64 = u64::MAX;

/// Embeds every sample of `source`, plainly resized and cropped, in order: float32 `[N, D]` on `device`.
///
/// # Errors
/// What the encoder or libtorch refuses.
pub fn embed(
    encoder: &dyn Encoder,
    source: &Source,
    views: &Views,
    Compute { device, autocast }: Compute,
) -> Result<Tensor, TrainError> {
    Ok(Embedder { encoder, views, device, autocast }.embed(source, "embedding", &|_, _, _| ())?)
}
