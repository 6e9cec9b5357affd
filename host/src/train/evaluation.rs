//! What is measured between epochs: embeddings of whole splits, with the encoder in eval mode.

use super::compute::Compute;
use super::observer::Observer;
use super::signals::{Stop, Wishes};
use crate::augment::Views;
use crate::config::Config;
use crate::data::{Batch, Source};
use crate::error::Error;
use crate::method::{self, Method, StepContext, Together};
use crate::metric::{self, Metric};
use crate::probe::{self, HeadMetrics, LinearHead, Objective, ScoredPredictions, Spread};
use crate::run::snapshot::Snapshot;
use crate::samples::{RunData, RunViews};
use crate::world::{Share, World};
use selfsame_encoder_api::Encoder;
use selfsame_plugin_api::{Split, Task};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// Measures an encoder on the splits of a run.
pub struct Evaluator<'a> {
    /// The run's configuration.
    pub config: &'a Config,
    /// Device and arithmetic.
    pub compute: Compute,
    /// The run's samples.
    pub data: &'a RunData,
    /// The run's views.
    pub views: &'a RunViews,
    /// The processes that measure together.
    pub world: &'a World,
    /// Where the run stands.
    pub context: StepContext,
    /// Looked at between batches.
    pub stop: Stop,
    /// What is saved when a signal asks for it.
    pub state: Snapshot,
    /// Told what is measured.
    pub observer: &'a dyn Observer,
}

impl Evaluator<'_> {
    /// What is recorded between epochs: the loss on random views of the encoder's validation images, and of the validation
    /// split of the data set that head and probes use the head's scores, the spread of the features (of the encoder's data
    /// where the former has none), and with `neighbours` the scores of kNN.
    ///
    /// # Errors
    /// A signal; what encoder or libtorch refuse.
    pub fn validate(
        &self,
        method: &mut dyn Method,
        head: Option<&LinearHead>,
        neighbours: bool,
    ) -> Result<BTreeMap<String, f64>, Error> {
        let mut metrics = BTreeMap::new();
        if let Some(loss) = self.validation_loss(method)? {
            metrics.insert(metric::VAL_LOSS.name.to_owned(), loss);
        }
        let task = self.data.probe_data();
        let Some(val) = &task.val else {
            if let Some(val) = self.data.encoder.iter().find_map(|data| data.val.as_ref()) {
                let features = self.embed(method.encoder(), val, &self.views.encoder, Split::Val)?;
                metrics.extend(spread(&features)?);
            }
            return Ok(metrics);
        };
        let features = self.embed(method.encoder(), val, self.views.probe(), Split::Val)?;
        metrics.extend(spread(&features)?);
        if let (Some(head), Some(labels)) = (head, val.labels()) {
            self.observer.phase("scores of the head", 0, 0);
            let labels = labels.f_to_device(self.compute.device)?;
            metrics.extend(head_metrics(Split::Val, &head.evaluate(&features, &labels)?));
        }
        if let (true, Some((known, truth))) = (neighbours, self.labels(val)?) {
            let bank = self.embed(method.encoder(), &task.train, self.views.probe(), Split::Train)?;
            metrics.extend(self.scores(
                metric::Probe::Knn,
                Split::Val,
                &self.knn(&bank, &known, &features)?,
                &truth,
            )?);
        }
        Ok(metrics)
    }

    /// The scores of kNN and of a linear classifier on frozen features of the scored split (validation, else test) of the
    /// data set that head and probes use, by metric name, and these features; empty where there are no labels.
    ///
    /// # Errors
    /// A signal; what encoder or libtorch refuse.
    pub fn probe(&self, encoder: &dyn Encoder) -> Result<(BTreeMap<String, f64>, Option<Embedded>), Error> {
        let mut metrics = BTreeMap::new();
        let task = self.data.probe_data();
        let Some((split, scored)) = task.scored() else { return Ok((metrics, None)) };
        let Some((known, truth)) = self.labels(scored)? else { return Ok((metrics, None)) };
        let bank = self.embed(encoder, &task.train, self.views.probe(), Split::Train)?;
        let features = self.embed(encoder, scored, self.views.probe(), split)?;
        metrics.extend(self.scores(metric::Probe::Knn, split, &self.knn(&bank, &known, &features)?, &truth)?);
        let balanced = self.config.train.self_supervision.use_balanced_binary_loss_for_linear_head;
        let objective = Objective::new(task.card.task, task.card.classes.len(), balanced.then_some(&known))?;
        self.observer.phase("linear probe", 0, 0);
        let linear = probe::linear_probe(&objective, (&bank, &known), &features)?;
        metrics.extend(self.scores(metric::Probe::Linear, split, &linear, &truth)?);
        metrics.extend(spread(&features)?);
        Ok((metrics, Some(Embedded { bank, bank_places: (0..task.train.len()).collect(), features })))
    }

    /// The features of the scored split and of at most 20 000 training images, evenly taken; none where no split is scored.
    ///
    /// # Errors
    /// A signal; what encoder or libtorch refuse.
    pub fn embedded(&self, encoder: &dyn Encoder) -> Result<Option<Embedded>, Error> {
        let task = self.data.probe_data();
        let Some((split, scored)) = task.scored() else { return Ok(None) };
        let bank_places = evenly(task.train.len(), MOST_NEIGHBOURS);
        let bank = self.embed_some(encoder, &task.train, &bank_places, self.views.probe(), Split::Train)?;
        let features = self.embed(encoder, scored, self.views.probe(), split)?;
        Ok(Some(Embedded { bank, bank_places, features }))
    }

    /// The labels of the training split of the data set that head and probes use, and those of its split `scored`; none
    /// where it has no labels.
    fn labels(&self, scored: &Source) -> Result<Option<(Tensor, Tensor)>, Error> {
        let task = self.data.probe_data();
        let (Some(known), Some(truth)) = (task.train.labels(), scored.labels()) else { return Ok(None) };
        if task.card.task == Task::None {
            return Ok(None);
        }
        let here = |labels: &Tensor| labels.f_to_device(self.compute.device);
        Ok(Some((here(known)?, here(truth)?)))
    }

    fn knn(&self, bank: &Tensor, known: &Tensor, features: &Tensor) -> Result<Tensor, Error> {
        self.observer.phase("nearest neighbours", 0, 0);
        let classes = self.data.probe_data().card.classes.len();
        let share = self.share(features.size2()?.0 as usize);
        let own = share.pieces().iter().map(|rows| features.f_narrow(0, rows.start as i64, rows.len() as i64));
        let own = Tensor::f_cat(&own.collect::<Result<Vec<_>, _>>()?, 0)?;
        let votes = probe::knn_votes(&self.config.knn, classes, (bank, known), &own)?;
        self.whole(votes, &share)
    }

    /// The scores that are recorded while the encoder trains.
    fn scores(
        &self,
        probe: metric::Probe,
        split: Split,
        probabilities: &Tensor,
        truth: &Tensor,
    ) -> Result<Vec<(String, f64)>, Error> {
        let scored = ScoredPredictions::new(self.data.probe_data().card.task, probabilities, truth)?;
        let scores = scored.weighted(&|_| 1.0).into_iter().filter(|(score, _)| score.while_training);
        Ok(scores.filter_map(|(score, value)| Some((probe.metric(split, score), value?))).collect())
    }

    /// Mean loss over the validation splits of the encoder's data sets in batches of the training size; the last one may
    /// be smaller, and a single image, which has no negatives, is left out. The views are the same after every epoch.
    fn validation_loss(&self, method: &mut dyn Method) -> Result<Option<f64>, Error> {
        let device = self.compute.device;
        let train = &self.config.train;
        let context = StepContext { train: false, ..self.context };
        let picks = self.data.validation_picks(train.seed);
        let (mut sum, mut count) = (0.0, 0);
        let piece = train.micro_batch_size.unwrap_or(train.batch_size);
        let plan: Vec<_> = picks.chunks(train.batch_size).filter(|picks| picks.len() > 1).collect();
        let shares: Vec<_> = plan.iter().map(|picks| Share::new(picks.len(), piece, self.world.ranks())).collect();
        let own = plan.iter().zip(&shares).map(|(picks, share)| share.of(picks)).collect();
        for ((batch, picked), share) in self.data.validation_batches(own, device).zip(&plan).zip(shares) {
            self.heed_signals()?;
            self.observer.phase("validation loss", count, picks.len());
            let pieces = batch?.parts(share.piece());
            let views = |index: usize| -> Result<Vec<Tensor>, Error> {
                let Batch { images, ids, .. } = &pieces[index];
                Ok(self.views.encoder.crops(images, ids, train.seed, VALIDATION_EPOCH)?)
            };
            let together = Together::new(self.world, share, Vec::new())?;
            let loss = method::loss_in_pieces(method, pieces.len(), views, &context, &together)?;
            sum += f64::try_from(&loss.to_kind(Kind::Double))? * picked.len() as f64;
            count += picked.len();
        }
        Ok((count > 0).then(|| sum / count as f64))
    }

    /// Saves where a signal asks any of the processes to; a resumed run measures again. All call it at the same places.
    fn heed_signals(&self) -> Result<(), Error> {
        let Wishes { stop, save } = self.stop.agree(self.world)?.wait(&self.stop)?;
        if save || stop.is_some() {
            self.stop.take_save_request();
            self.state.write()?;
            self.world.saved(self.state.step);
        }
        if save {
            tracing::info!("saved the state after step {}", self.state.step);
        }
        match stop {
            Some(code) => Err(Error::Stopped { code, step: self.state.step }),
            None => Ok(()),
        }
    }

    /// This process's share of so many rows.
    fn share(&self, rows: usize) -> Share {
        Share::new(rows, rows.max(1), self.world.ranks())
    }

    /// The rows of all processes.
    fn whole(&self, own: Tensor, share: &Share) -> Result<Tensor, Error> {
        let whole = self.world.gather_rows(vec![own], share)?;
        whole.into_iter().next().ok_or_else(|| Error::data("no rows were gathered"))
    }

    /// Embeds every sample of `source`, which is this split, plainly resized and cropped, in order: float32 `[N, D]` on the
    /// run's device.
    fn embed(&self, encoder: &dyn Encoder, source: &Source, views: &Views, split: Split) -> Result<Tensor, Error> {
        self.embed_some(encoder, source, &(0..source.len()).collect::<Vec<_>>(), views, split)
    }

    /// As [`embed`](Self::embed), the samples at these places.
    fn embed_some(
        &self,
        encoder: &dyn Encoder,
        source: &Source,
        of: &[usize],
        views: &Views,
        split: Split,
    ) -> Result<Tensor, Error> {
        let embedder = self.compute.embedder(encoder, views);
        let (what, mut done) = (format!("embedding {} images", split.name()), 0);
        let share = self.share(of.len());
        let places: Vec<usize> = share.pieces().iter().cloned().flatten().map(|place| of[place]).collect();
        // As many rounds on each process as the largest share takes.
        let rounds = share.gathered().map_or(places.len(), |gathered| gathered.each).div_ceil(embedder.batch);
        let mut features = Vec::with_capacity(rounds);
        self.observer.phase(&what, 0, of.len());
        let mut batches = embedder.batches_of(source, &places);
        for _ in 0..rounds {
            self.heed_signals()?;
            let Some(embedded) = batches.next() else { continue };
            let embedded = embedded?;
            done += embedded.size()[0] as usize;
            self.observer.phase(&what, of.len().min(done * self.world.size()), of.len());
            features.push(embedded);
        }
        self.whole(Tensor::f_cat(&features, 0)?, &share)
    }
}

/// Frozen features of the data set that head and probes use.
pub struct Embedded {
    /// Training images `[N, D]`.
    pub bank: Tensor,
    /// Their places in the training split.
    pub bank_places: Vec<usize>,
    /// The scored split `[M, D]`.
    pub features: Tensor,
}

/// Training images that neighbours are looked for among, where no score needs all.
const MOST_NEIGHBOURS: usize = 20_000;

/// At most `most` of `len` places, at even distances.
pub(super) fn evenly(len: usize, most: usize) -> Vec<usize> {
    let count = len.min(most);
    (0..count).map(|at| at * len / count).collect()
}

/// How far features spread, by metric name.
fn spread(features: &Tensor) -> Result<impl Iterator<Item = (String, f64)>, Error> {
    Ok(Spread::of(features)?.metrics().into_iter().map(|(metric, value)| (metric.name.to_owned(), value)))
}

/// A head's scores under their metric names.
pub fn head_metrics(split: Split, scores: &HeadMetrics) -> Vec<(String, f64)> {
    let named: [(&Metric, _); 4] = [
        // Nothing to weigh: every sample is of a class that the balanced loss has not seen in training.
        (&metric::HEAD_LOSS, Some(scores.loss).filter(|loss| !loss.is_nan())),
        (&metric::ACCURACY, Some(scores.accuracy)),
        (&metric::AUROC, scores.auroc),
        (&metric::AUPRC, scores.auprc),
    ];
    let named = named.into_iter();
    named.filter_map(|(score, value)| Some((metric::Probe::Online.metric(split, score), value?))).collect()
}

/// Stands for no epoch, so that validation's views are none of training's.
const VALIDATION_EPOCH: u64 = u64::MAX;
