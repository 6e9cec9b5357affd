//! The online linear head: learns from detached features while the encoder trains.

use super::{Objective, ScoredPredictions, auroc, average_precision, confusion::mean};
use crate::config::schema::LinearHeadConfig;
use crate::metric::{ACCURACY, AUPRC, AUROC, Metric};
use crate::model::{Error, Linear, Result};
use crate::optim::{Adam, Decay, Optimizer, Rates};
use selfsame_encoder_api::Parameter;
use selfsame_plugin_api::Task;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// How well the head predicts a set of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadMetrics {
    /// Mean loss over the samples, weighted by class where the head is.
    pub loss: f64,
    /// Share of right predictions, in [0, 1]; for multilabel, of right (sample, label) pairs at probability 0.5.
    pub accuracy: f64,
    /// Area under the ROC curve; for multilabel the mean over the labels that have both classes. None for multiclass,
    /// and where there is only one class.
    pub auroc: Option<f64>,
    /// Average precision, under the same conditions.
    pub auprc: Option<f64>,
}

/// A linear classifier with its own Adam: cross-entropy over classes (binary is two classes, the second one positive),
/// or binary cross-entropy over labels for multilabel.
///
/// Features are `[B, D]`; targets are int64 `[B]`, for multilabel 0 and 1 of any kind, `[B, classes]`.
pub struct LinearHead {
    linear: Linear,
    optimizer: Adam,
    rates: Rates,
    objective: Objective,
    device: Device,
    running: Running,
}

/// What has gathered since the last report, on the device so that no step waits.
#[derive(Default)]
struct Running {
    samples: i64,
    predictions: i64,
    loss: Option<Tensor>,
    correct: Option<Tensor>,
    /// Scores and whether they are of positives, for the tasks that are ranked.
    ranked: Vec<[Tensor; 2]>,
}

impl LinearHead {
    /// A head for features of length `feature_dim`, initialised from libtorch's global generator.
    ///
    /// `balance_on`, the targets of the whole training split, weighs the loss as in [`Objective::new`].
    ///
    /// # Errors
    /// A task without labels; anything libtorch refuses.
    pub fn new(
        config: &LinearHeadConfig,
        task: Task,
        feature_dim: usize,
        classes: usize,
        balance_on: Option<&Tensor>,
        device: Device,
    ) -> Result<Self> {
        if task == Task::None {
            return Err(Error::Input(
                "the linear head needs labels; set linear_head.enabled=false without them".into(),
            ));
        }
        let linear = Linear::new(feature_dim as i64, classes as i64, device)?;
        let optimizer = Adam::new(linear.parameters(), [0.9, 0.999], 1e-8, Decay::L2)?;
        let balance_on = balance_on.map(|targets| targets.f_to_device(device)).transpose()?;
        Ok(Self {
            linear,
            optimizer,
            rates: Rates { lr: config.learning_rate, weight_decay: config.weight_decay },
            objective: Objective::new(task, classes, balance_on.as_ref())?,
            device,
            running: Running::default(),
        })
    }

    /// One step of the head on one batch. Nothing flows back into what computed `features`.
    ///
    /// # Errors
    /// Features or targets of another shape; anything libtorch refuses.
    pub fn train_step(&mut self, features: &Tensor, targets: &Tensor) -> Result<()> {
        let logits = self.linear.forward(&features.f_detach()?.f_to_kind(Kind::Float)?)?;
        let loss = self.objective.loss(&logits, targets)?;
        self.optimizer.zero_grad();
        loss.f_backward()?;
        self.optimizer.step(self.rates)?;

        let _no_grad = tch::no_grad_guard();
        let samples = logits.size2()?.0;
        let loss = loss.f_detach()?.f_mul_scalar(samples as f64)?;
        let logits = logits.f_detach()?;
        let correct = self.correct(&logits, targets)?;
        self.running.ranked.extend(self.ranked(&logits, targets)?);
        let add = |sum: &Option<Tensor>, x: Tensor| sum.as_ref().map_or(Ok(x.shallow_clone()), |sum| sum.f_add(&x));
        self.running.predictions += correct.numel() as i64;
        self.running.samples += samples;
        self.running.loss = Some(add(&self.running.loss, loss)?);
        self.running.correct = Some(add(&self.running.correct, correct.f_sum(Kind::Double)?)?);
        Ok(())
    }

    /// The scores of the training batches since the last call, each as it was before its step; none where there were no
    /// batches.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn take_train_metrics(&mut self) -> Result<Option<HeadMetrics>> {
        let Running { samples, predictions, loss, correct, ranked } = std::mem::take(&mut self.running);
        let (Some(loss), Some(correct)) = (loss, correct) else { return Ok(None) };
        let (auroc, auprc) = joined(&ranked)?.as_ref().map_or(Ok((None, None)), ranking)?;
        Ok(Some(HeadMetrics {
            loss: loss.f_double_value(&[])? / samples as f64,
            accuracy: correct.f_double_value(&[])? / predictions as f64,
            auroc,
            auprc,
        }))
    }

    /// What [`take_train_metrics`](Self::take_train_metrics) is made of; save it beside the parameters, so that a run that
    /// is continued within an epoch reports the whole of it. Empty where there were no batches.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn train_metrics_state(&self) -> Result<Vec<(String, Tensor)>> {
        let Running { samples, predictions, loss: Some(loss), correct: Some(correct), ranked } = &self.running else {
            return Ok(Vec::new());
        };
        let counts = Tensor::f_from_slice(&[*samples, *predictions])?;
        let mut state = vec![("counts", counts), ("loss", loss.shallow_clone()), ("correct", correct.shallow_clone())];
        if let Some([scores, positive]) = joined(ranked)? {
            state.extend([("scores", scores), ("positive", positive)]);
        }
        Ok(state.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect())
    }

    /// Restores what [`train_metrics_state`](Self::train_metrics_state) gave.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape, by name.
    pub fn load_train_metrics(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<()> {
        self.running = Running::default();
        if saved.is_empty() {
            return Ok(());
        }
        let device = self.device;
        let get = |name: &str| {
            let tensor = saved.get(name).ok_or_else(|| Error::State(format!("the head's metrics lack `{name}`")))?;
            Ok::<_, Error>(tensor.f_to_device(device)?)
        };
        let counts = Vec::<i64>::try_from(get("counts")?)?;
        let &[samples, predictions] = counts.as_slice() else {
            return Err(Error::State(format!("the head's metrics have {} counts, expected 2", counts.len())));
        };
        let ranked = if saved.contains_key("scores") { vec![[get("scores")?, get("positive")?]] } else { Vec::new() };
        let (loss, correct) = (Some(get("loss")?), Some(get("correct")?));
        self.running = Running { samples, predictions, loss, correct, ranked };
        Ok(())
    }

    /// Scores the head on all features of a split at once, by the scorer of the probes. Predictions that are not finite,
    /// as those of a head that has diverged, have no score.
    ///
    /// # Errors
    /// No features, or targets of another shape; anything libtorch refuses.
    pub fn evaluate(&self, features: &Tensor, targets: &Tensor) -> Result<HeadMetrics> {
        let _no_grad = tch::no_grad_guard();
        let logits = self.linear.forward(&features.f_to_kind(Kind::Float)?)?;
        if logits.numel() == 0 {
            return Err(Error::Input("the linear head cannot be scored on a split without samples".into()));
        }
        let loss = self.objective.loss(&logits, targets)?.f_double_value(&[])?;
        let probabilities = self.objective.probabilities(&logits)?;
        if probabilities.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Ok(HeadMetrics { loss, accuracy: f64::NAN, auroc: None, auprc: None });
        }
        let scores = ScoredPredictions::new(self.objective.task(), &probabilities, targets)?.weighted(&|_| 1.0);
        let score = |wanted: &Metric| {
            scores.iter().find(|(metric, _)| metric.name == wanted.name).and_then(|(_, score)| *score)
        };
        let accuracy = score(&ACCURACY).unwrap_or(f64::NAN);
        Ok(HeadMetrics { loss, accuracy, auroc: score(&AUROC), auprc: score(&AUPRC) })
    }

    /// `weight` (`[classes, D]`) and `bias`.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        self.linear.parameters()
    }

    /// The optimiser's state; save it beside the parameters.
    #[must_use]
    pub fn optimizer_state(&self) -> Vec<(String, Tensor)> {
        self.optimizer.state()
    }

    /// Restores what [`optimizer_state`](Self::optimizer_state) gave.
    ///
    /// # Errors
    /// A tensor that is missing, unknown, or of another shape, by name.
    pub fn load_optimizer_state(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<()> {
        self.optimizer.load_state(saved)
    }

    /// Which predictions are right: `[B]`, or `[B, classes]` for multilabel.
    fn correct(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        Ok(match self.objective.task() {
            Task::Multilabel => logits.f_gt(0.0)?.f_eq_tensor(&targets.f_gt(0.5)?)?,
            _ => logits.f_argmax(1, false)?.f_eq_tensor(targets)?,
        })
    }

    /// What is ranked, a column each: scores, and which are of positives. None for multiclass.
    fn ranked(&self, logits: &Tensor, targets: &Tensor) -> Result<Option<[Tensor; 2]>> {
        Ok(match self.objective.task() {
            Task::Multilabel => Some([logits.shallow_clone(), targets.f_gt(0.5)?]),
            Task::Binary => {
                let margin = logits.f_select(1, 1)?.f_sub(&logits.f_select(1, 0)?)?;
                Some([margin.f_unsqueeze(1)?, targets.f_eq(1)?.f_unsqueeze(1)?])
            }
            _ => None,
        })
    }
}

/// All scores below each other; none where nothing is ranked.
fn joined(ranked: &[[Tensor; 2]]) -> Result<Option<[Tensor; 2]>> {
    if ranked.is_empty() {
        return Ok(None);
    }
    let column = |i: usize| Tensor::f_cat(&ranked.iter().map(|pair| &pair[i]).collect::<Vec<_>>(), 0);
    Ok(Some([column(0)?, column(1)?]))
}

/// AUROC and average precision, each the mean over the columns that have both classes.
fn ranking([scores, positive]: &[Tensor; 2]) -> Result<(Option<f64>, Option<f64>)> {
    let (mut aurocs, mut auprcs) = (Vec::new(), Vec::new());
    for column in 0..scores.size2()?.1 {
        let scores = Vec::<f64>::try_from(scores.f_select(1, column)?.f_to_kind(Kind::Double)?)?;
        let positive = Vec::<bool>::try_from(positive.f_select(1, column)?)?;
        aurocs.extend(auroc(&scores, &positive));
        auprcs.extend(average_precision(&scores, &positive));
    }
    Ok((mean(aurocs.into_iter()), mean(auprcs.into_iter())))
}
