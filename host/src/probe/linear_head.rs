//! The online linear head: learns from detached features while the encoder trains.

use super::{auroc, average_precision};
use crate::config::schema::LinearHeadConfig;
use crate::model::{Error, Linear, Result};
use crate::optim::{Adam, Decay, Optimizer};
use selfsame_plugin_api::{Parameter, Task};
use std::collections::BTreeMap;
use tch::{Device, Kind, Reduction, Tensor};

/// How well the head predicts a set of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadMetrics {
    /// Mean loss over the samples, weighted by class where the head is.
    pub loss: f64,
    /// Share of right predictions, in [0, 1]; for multilabel, of right (sample, label) pairs at probability 0.5.
    pub accuracy: f64,
    /// Area under the ROC curve; for multilabel the mean over the labels that have both classes. None for multiclass,
    /// while training, and where there is only one class.
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
    learning_rate: f64,
    multilabel: bool,
    binary: bool,
    class_weights: Option<Tensor>,
    running: Running,
}

/// Sums since the last report, on the device so that no step waits.
#[derive(Default)]
struct Running {
    samples: i64,
    predictions: i64,
    loss: Option<Tensor>,
    correct: Option<Tensor>,
}

impl LinearHead {
    /// A head for features of length `feature_dim`, initialised from libtorch's global generator.
    ///
    /// `balance_on`, the targets of the whole training split, weighs the loss by inverse frequency: classes by
    /// (1/nᶜ) / Σ(1/n), absent ones by 0; positives of a multilabel label by negatives/positives, or 1 where there
    /// are none.
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
        let multilabel = task == Task::Multilabel;
        let linear = Linear::new(feature_dim as i64, classes as i64, device)?;
        let optimizer = Adam::new(linear.parameters(), [0.9, 0.999], 1e-8, Decay::L2(config.weight_decay))?;
        let weights = balance_on.map(|t| if multilabel { positive_weights(t) } else { class_weights(t, classes) });
        Ok(Self {
            linear,
            optimizer,
            learning_rate: config.learning_rate,
            multilabel,
            binary: task == Task::Binary,
            class_weights: weights.transpose()?.map(|w| w.f_to_device(device)).transpose()?,
            running: Running::default(),
        })
    }

    /// One step of the head on one batch. Nothing flows back into what computed `features`.
    ///
    /// # Errors
    /// Features or targets of another shape; anything libtorch refuses.
    pub fn train_step(&mut self, features: &Tensor, targets: &Tensor) -> Result<()> {
        let logits = self.linear.forward(&features.f_detach()?.f_to_kind(Kind::Float)?)?;
        let loss = self.loss(&logits, targets)?;
        self.optimizer.zero_grad();
        loss.f_backward()?;
        self.optimizer.step(self.learning_rate)?;

        let _no_grad = tch::no_grad_guard();
        let samples = logits.size2()?.0;
        let loss = loss.f_detach()?.f_mul_scalar(samples as f64)?;
        let correct = self.correct(&logits.f_detach()?, targets)?;
        let add = |sum: &Option<Tensor>, x: Tensor| sum.as_ref().map_or(Ok(x.shallow_clone()), |sum| sum.f_add(&x));
        self.running.predictions += correct.numel() as i64;
        self.running.samples += samples;
        self.running.loss = Some(add(&self.running.loss, loss)?);
        self.running.correct = Some(add(&self.running.correct, correct.f_sum(Kind::Double)?)?);
        Ok(())
    }

    /// Loss and accuracy over the training batches since the last call, each as it was before its step; none where
    /// there were no batches.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn take_train_metrics(&mut self) -> Result<Option<HeadMetrics>> {
        let Running { samples, predictions, loss, correct } = std::mem::take(&mut self.running);
        let (Some(loss), Some(correct)) = (loss, correct) else { return Ok(None) };
        Ok(Some(HeadMetrics {
            loss: loss.f_double_value(&[])? / samples as f64,
            accuracy: correct.f_double_value(&[])? / predictions as f64,
            auroc: None,
            auprc: None,
        }))
    }

    /// Scores the head on all features of a split at once.
    ///
    /// # Errors
    /// No features, or targets of another shape; anything libtorch refuses.
    pub fn evaluate(&self, features: &Tensor, targets: &Tensor) -> Result<HeadMetrics> {
        let _no_grad = tch::no_grad_guard();
        let logits = self.linear.forward(&features.f_to_kind(Kind::Float)?)?;
        if logits.numel() == 0 {
            return Err(Error::Input("the linear head cannot be scored on a split without samples".into()));
        }
        let correct = self.correct(&logits, targets)?.f_to_kind(Kind::Double)?;
        let (auroc, auprc) = self.ranking(&logits, targets)?;
        Ok(HeadMetrics {
            loss: self.loss(&logits, targets)?.f_double_value(&[])?,
            accuracy: correct.f_mean(None)?.f_double_value(&[])?,
            auroc,
            auprc,
        })
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

    fn loss(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let weights = self.class_weights.as_ref();
        Ok(if self.multilabel {
            let targets = targets.f_to_kind(Kind::Float)?;
            logits.f_binary_cross_entropy_with_logits(&targets, None, weights, Reduction::Mean)?
        } else {
            logits.f_cross_entropy_loss(targets, weights, Reduction::Mean, -100, 0.0)?
        })
    }

    /// Which predictions are right: `[B]`, or `[B, classes]` for multilabel.
    fn correct(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        Ok(if self.multilabel {
            logits.f_gt(0.0)?.f_eq_tensor(&targets.f_gt(0.5)?)?
        } else {
            logits.f_argmax(1, false)?.f_eq_tensor(targets)?
        })
    }

    fn ranking(&self, logits: &Tensor, targets: &Tensor) -> Result<(Option<f64>, Option<f64>)> {
        let columns = if self.multilabel {
            let labels = logits.size2()?.1;
            (0..labels).map(|i| Ok((logits.f_select(1, i)?, targets.f_select(1, i)?))).collect::<Result<Vec<_>>>()?
        } else if self.binary {
            vec![(logits.f_select(1, 1)?.f_sub(&logits.f_select(1, 0)?)?, targets.f_eq(1)?)]
        } else {
            return Ok((None, None));
        };
        let (mut aurocs, mut auprcs) = (Vec::new(), Vec::new());
        for (scores, positive) in columns {
            let scores = Vec::<f64>::try_from(scores.f_to_kind(Kind::Double)?)?;
            let positive = Vec::<bool>::try_from(positive.f_gt(0.5)?)?;
            aurocs.extend(auroc(&scores, &positive));
            auprcs.extend(average_precision(&scores, &positive));
        }
        Ok((mean(&aurocs), mean(&auprcs)))
    }
}

/// The mean, where there is anything.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Inverse class frequencies that sum to 1, `[classes]`; 0 for a class that does not occur.
pub(super) fn class_weights(targets: &Tensor, classes: usize) -> Result<Tensor> {
    let counts = targets.f_bincount(None::<&Tensor>, classes as i64)?.f_to_kind(Kind::Float)?;
    let inverse = counts.f_reciprocal()?.f_masked_fill(&counts.f_eq(0)?, 0.0)?;
    Ok(inverse.f_div(&inverse.f_sum(None)?)?)
}

/// Negatives per positive of each label, `[classes]`; 1 for a label without positives.
pub(super) fn positive_weights(targets: &Tensor) -> Result<Tensor> {
    let targets = targets.f_to_kind(Kind::Float)?;
    let positives = targets.f_sum_dim_intlist(0, false, None)?;
    let negatives = targets.f_ones_like()?.f_sum_dim_intlist(0, false, None)?.f_sub(&positives)?;
    Ok(negatives.f_div(&positives)?.f_masked_fill(&positives.f_eq(0)?, 1.0)?)
}
