//! The loss of a classifier on features, for every kind of label.

use super::linear_head::{class_weights, positive_weights};
use crate::model::{Error, Result};
use selfsame_plugin_api::Task;
use tch::{Kind, Reduction, Tensor};

/// Cross-entropy over classes (binary is two classes, the second one positive), or binary cross-entropy over labels for
/// multilabel.
#[derive(Debug)]
pub struct Objective {
    task: Task,
    classes: usize,
    weights: Option<Tensor>,
}

impl Objective {
    /// `balance_on`, the targets of the training split, weighs classes as the online head does.
    ///
    /// # Errors
    /// A task without labels; anything libtorch refuses.
    pub fn new(task: Task, classes: usize, balance_on: Option<&Tensor>) -> Result<Self> {
        if task == Task::None {
            return Err(Error::Input("a classifier needs labels, and the data set has none".into()));
        }
        let weigh = |t| if task == Task::Multilabel { positive_weights(t) } else { class_weights(t, classes) };
        Ok(Self { task, classes, weights: balance_on.map(weigh).transpose()? })
    }

    /// What the labels mean.
    #[must_use]
    pub fn task(&self) -> Task {
        self.task
    }

    /// Length of a row of logits.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Classifiers that the loss is a mean over: one for each label of a multilabel task, else one.
    #[must_use]
    pub fn classifiers(&self) -> usize {
        if self.task == Task::Multilabel { self.classes } else { 1 }
    }

    /// Mean loss of logits `[B, classes]` against int64 `[B]`, or 0 and 1 `[B, classes]` for multilabel.
    ///
    /// # Errors
    /// Shapes that do not fit; anything libtorch refuses.
    pub fn loss(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let weights = self.weights.as_ref();
        Ok(if self.task == Task::Multilabel {
            let targets = targets.f_to_kind(Kind::Float)?;
            logits.f_binary_cross_entropy_with_logits(&targets, None, weights, Reduction::Mean)?
        } else {
            logits.f_cross_entropy_loss(targets, weights, Reduction::Mean, -100, 0.0)?
        })
    }

    /// Logits as probabilities, of one class each (rows sum to 1) or of each label for itself.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn probabilities(&self, logits: &Tensor) -> Result<Tensor> {
        let logits = logits.f_to_kind(Kind::Double)?;
        Ok(match self.task {
            Task::Multilabel => logits.f_sigmoid()?,
            _ => logits.f_softmax(1, Kind::Double)?,
        })
    }
}
