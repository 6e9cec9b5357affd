//! Linear evaluation on features of randomly cropped and flipped images; the encoder stays frozen.

use super::embedder::{Embedder, Labelled, Progress, select};
use super::linear_probe::{Cut, EXACT, LinearFit, LinearModel, choice_score, tuned_linear};
use super::objective::Objective;
use crate::augment::{Purpose, ViewKey};
use crate::config::schema::{LrScaling, SchedulerConfig};
use crate::model::{Error, Result};
use crate::optim::{Optimizer, Rates, Schedule, Sgd};
use crate::random;
use selfsame_encoder_api::{Parameter, ParameterKind};
use serde::Serialize;
use tch::Tensor;

/// How the probe learns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AugmentedRecipe {
    /// Passes over the training split.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Momentum of SGD; nothing is decayed.
    pub momentum: f64,
    /// Peaks of the cosine schedules that are tried side by side.
    pub learning_rates: Vec<f64>,
}

impl Default for AugmentedRecipe {
    fn default() -> Self {
        Self { epochs: 100, batch_size: 256, momentum: 0.9, learning_rates: vec![0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3] }
    }
}

struct Candidate {
    learning_rate: f64,
    schedule: Schedule,
    model: LinearModel,
    optimizer: Sgd,
}

/// Trains one linear classifier for each learning rate on the same random views, as Oquab et al. (2023, appendix B.3)
/// do, on the rows of the cut's `fit`, and returns the one that scores best on its `held` rows (plainly cropped), with
/// its learning rate. Without rows to choose by, the largest rate whose loss stays finite.
///
/// Each starts as the linear probe of those rows' plain features, so that a small data set, which has few steps, does not
/// end before it has come as far.
///
/// `plain` are the features `[N, D]` of the plainly cropped training split; `embedder` makes the random views. Order and
/// views are drawn from `seed`.
///
/// # Errors
/// No samples, no learning rate that works; what the encoder or libtorch refuses.
#[expect(clippy::too_many_arguments, reason = "a protocol is what it learns from, how, and whom it tells")]
pub fn augmented_probe(
    objective: &Objective,
    embedder: &Embedder<'_>,
    train: Labelled<'_>,
    plain: &Tensor,
    cut: &Cut,
    recipe: &AugmentedRecipe,
    seed: u64,
    progress: &Progress<'_>,
) -> Result<(LinearModel, f64)> {
    let rows = if cut.fit.is_empty() { (0..train.source.len()).collect() } else { cut.fit.clone() };
    let steps_per_epoch = rows.len().div_ceil(recipe.batch_size);
    let (_, l2) = tuned_linear(objective, plain, train.labels, cut)?;
    let known = select(train.labels, &rows)?;
    let start = LinearFit::new(objective, &select(plain, &rows)?, &known)?.minimize(l2, EXACT)?;
    let mut candidates = recipe
        .learning_rates
        .iter()
        .map(|&learning_rate| candidate(&start, recipe, learning_rate, steps_per_epoch))
        .collect::<Result<Vec<_>>>()?;
    let (view_seed, mut step) = (random::derive_seed(seed, "linear-aug views", &[]), 0);
    for epoch in 0..recipe.epochs as u64 {
        progress("linear-aug: epochs", epoch as usize, recipe.epochs);
        let order = random::permutation(rows.len(), seed, "linear-aug order", &[epoch]);
        for places in order.chunks(recipe.batch_size) {
            let places: Vec<usize> = places.iter().map(|&place| rows[place]).collect();
            let batch = train.source.batch(&places, embedder.device)?;
            let key = ViewKey { seed: view_seed, epoch, purpose: Purpose::Probe };
            let views = embedder.views.crop(&batch.images, &batch.ids, key)?;
            let features = embedder.frozen(&views)?;
            let targets = select(train.labels, &places)?;
            for Candidate { schedule, model, optimizer, .. } in &mut candidates {
                optimizer.zero_grad();
                objective.loss(&model.logits(&features)?, &targets)?.f_backward()?;
                optimizer.step(Rates { lr: schedule.lr(step), weight_decay: 0.0 })?;
            }
            step += 1;
        }
    }
    choose(objective, candidates, plain, train.labels, cut)
}

fn candidate(
    start: &LinearModel,
    recipe: &AugmentedRecipe,
    learning_rate: f64,
    steps_per_epoch: usize,
) -> Result<Candidate> {
    let model = start.trainable()?;
    let cosine = SchedulerConfig { epochs: recipe.epochs, warmup_epochs: 0.0, final_lr_fraction: 0.0 };
    let schedule = Schedule::new(&cosine, learning_rate, LrScaling::None, 0, steps_per_epoch as u64);
    let optimizer = Sgd::new(model.parameters(), recipe.momentum, false)?;
    Ok(Candidate { learning_rate, schedule, model, optimizer })
}

fn choose(
    objective: &Objective,
    candidates: Vec<Candidate>,
    plain: &Tensor,
    labels: &Tensor,
    cut: &Cut,
) -> Result<(LinearModel, f64)> {
    let _no_grad = tch::no_grad_guard();
    // Without held-out rows all are equal, and the first one that works is taken.
    let held = (select(plain, &cut.held)?, select(labels, &cut.held)?);
    let mut best: Option<((f64, f64), Candidate)> = None;
    for candidate in candidates {
        let finite = candidate.model.parameters().iter().try_fold(true, |finite, parameter| -> Result<bool> {
            Ok(finite && parameter.tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1)
        })?;
        if !finite {
            continue;
        }
        let score = if cut.held.is_empty() {
            (0.0, 0.0)
        } else {
            choice_score(objective, &candidate.model.logits(&held.0)?, &held.1)?
        };
        if best.as_ref().is_none_or(|(best, _)| score > *best) {
            best = Some((score, candidate));
        }
    }
    let (_, best) = best.ok_or_else(|| {
        Error::Input("linear-aug: the loss is not finite at any learning rate; are the encoder's features?".into())
    })?;
    Ok((best.model, best.learning_rate))
}

impl LinearModel {
    /// A copy whose weight and bias can be trained.
    fn trainable(&self) -> Result<Self> {
        let leaf = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.f_detach_copy()?.f_set_requires_grad(true)?) };
        let (mean, std) = (self.mean.shallow_clone(), self.std.shallow_clone());
        Ok(Self { mean, std, weight: leaf(&self.weight)?, bias: leaf(&self.bias)? })
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![
            Parameter { name: "weight".into(), kind: ParameterKind::Weight, tensor: self.weight.shallow_clone() },
            Parameter { name: "bias".into(), kind: ParameterKind::Bias, tensor: self.bias.shallow_clone() },
        ]
    }
}
