//! What is measured between epochs: embeddings of whole splits, with the encoder in eval mode.

use super::error::TrainError;
use super::run_data::{RunData, RunViews};
use super::session::{Compute, Data};
use crate::augment::{ViewKey, Views};
use crate::config::Config;
use crate::data::{Batch, Source};
use crate::method::{self, Method, StepContext};
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
    pub data: &'a RunData,
    /// The run's views.
    pub views: &'a RunViews,
}

impl Evaluator<'_> {
    /// What is recorded between epochs: the loss on random views of the encoder's validation images, and of the validation
    /// split of the data set that head and probes use the head's scores, the spread of the features (of the encoder's data
    /// where the former has none), and with `neighbours` the kNN score.
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
        if let Some(loss) = self.validation_loss(method)? {
            metrics.insert("ssl/val/loss".to_owned(), loss);
        }
        let task = self.data.task();
        let Some(val) = &task.val else {
            if let Some(val) = self.data.encoder.iter().find_map(|data| data.val.as_ref()) {
                let features = embed(method.encoder(), val, &self.views.encoder, self.compute)?;
                metrics.insert("features/std".to_owned(), f64::try_from(probe::feature_std(&features)?)?);
            }
            return Ok(metrics);
        };
        let features = embed(method.encoder(), val, self.views.task(), self.compute)?;
        metrics.insert("features/std".to_owned(), f64::try_from(probe::feature_std(&features)?)?);
        if let (Some(head), Some(labels)) = (head, val.labels()) {
            let labels = labels.to_device(self.compute.device);
            metrics.extend(head_metrics("val", &head.evaluate(&features, &labels)?));
        }
        if neighbours && is_single_label(task) {
            let bank = embed(method.encoder(), &task.train, self.views.task(), self.compute)?;
            metrics.insert("knn/val/accuracy".to_owned(), self.knn(&bank, &features, val)?);
        }
        Ok(metrics)
    }

    /// kNN and linear accuracy of frozen features on the scored split (validation, else test) of the data set that head and
    /// probes use, by metric name; empty where there are no single labels.
    ///
    /// # Errors
    /// What encoder or libtorch refuse.
    pub fn probe(&self, encoder: &dyn Encoder) -> Result<BTreeMap<String, f64>, TrainError> {
        let mut metrics = BTreeMap::new();
        let task = self.data.task();
        let (Some((split, scored)), true) = (task.scored(), is_single_label(task)) else { return Ok(metrics) };
        let bank = embed(encoder, &task.train, self.views.task(), self.compute)?;
        let features = embed(encoder, scored, self.views.task(), self.compute)?;
        metrics.insert(format!("knn/{split}/accuracy"), self.knn(&bank, &features, scored)?);
        let (Some(train_labels), Some(labels)) = (task.train.labels(), scored.labels()) else {
            return Ok(metrics);
        };
        let device = self.compute.device;
        let accuracy = probe::linear_probe(
            task.card.classes.len(),
            (&bank, &train_labels.to_device(device)),
            (&features, &labels.to_device(device)),
        )?;
        metrics.insert(format!("linear/{split}/accuracy"), accuracy);
        metrics.insert("features/std".to_owned(), f64::try_from(probe::feature_std(&features)?)?);
        Ok(metrics)
    }

    fn knn(&self, bank: &Tensor, features: &Tensor, scored: &Source) -> Result<f64, TrainError> {
        let device = self.compute.device;
        let task = self.data.task();
        let (Some(bank_labels), Some(labels)) = (task.train.labels(), scored.labels()) else {
            return Err(TrainError::data("kNN needs labels, and the data set has none"));
        };
        let score = probe::knn(
            &self.config.knn,
            task.card.classes.len(),
            (bank, &bank_labels.to_device(device)),
            (features, &labels.to_device(device)),
        )?;
        Ok(score.accuracy)
    }

    /// Mean loss over the validation splits of the encoder's data sets in batches of the training size; the last one may
    /// be smaller, and a single image, which has no negatives, is left out. The views are the same after every epoch.
    fn validation_loss(&self, method: &mut dyn Method) -> Result<Option<f64>, TrainError> {
        let Compute { device, autocast } = self.compute;
        let train = &self.config.train;
        let key = |view| ViewKey { seed: train.seed, epoch: VALIDATION_EPOCH, view };
        let context = StepContext { step: 0, total_steps: 1, train: false, autocast };
        let picks = self.data.validation_picks(train.seed);
        let (mut sum, mut count) = (0.0, 0);
        let plan = picks.chunks(train.batch_size).filter(|picks| picks.len() > 1);
        for batch in self.data.validation_batches(plan.map(<[_]>::to_vec).collect(), device) {
            let batch = batch?;
            let pieces = batch.parts(train.micro_batch_size.unwrap_or(train.batch_size));
            let views = |index: usize| -> Result<[Tensor; 2], TrainError> {
                let Batch { images, ids, .. } = &pieces[index];
                let view = |view| self.views.encoder.train(images, ids, key(view));
                Ok([view(0)?, view(1)?])
            };
            let loss = method::loss_in_pieces(method, pieces.len(), views, &context)?;
            sum += f64::try_from(&loss.to_kind(Kind::Double))? * batch.ids.len() as f64;
            count += batch.ids.len();
        }
        Ok((count > 0).then(|| sum / count as f64))
    }
}

fn is_single_label(data: &Data) -> bool {
    matches!(data.card.task, Task::Binary | Task::Multiclass) && data.train.labels().is_some()
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
