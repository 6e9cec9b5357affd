//! The loss of a classifier on features, for every kind of label.

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
    /// `balance_on`, the targets of the whole training split, weighs the loss by inverse frequency: classes by
    /// (1/nᶜ) / Σ(1/n), absent ones by 0; positives of a multilabel label by negatives/positives, or 1 where there are
    /// none.
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

    /// What the loss counts of each class, or of each label's positives: `[classes]`; none where all count the same.
    #[must_use]
    pub fn weights(&self) -> Option<&Tensor> {
        self.weights.as_ref()
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

/// Inverse class frequencies that sum to 1, `[classes]`; 0 for a class that does not occur.
fn class_weights(targets: &Tensor, classes: usize) -> Result<Tensor> {
    let counts = targets.f_bincount(None::<&Tensor>, classes as i64)?.f_to_kind(Kind::Float)?;
    let inverse = counts.f_reciprocal()?.f_masked_fill(&counts.f_eq(0)?, 0.0)?;
    Ok(inverse.f_div(&inverse.f_sum(None)?)?)
}

/// Negatives per positive of each label, `[classes]`; 1 for a label without positives.
fn positive_weights(targets: &Tensor) -> Result<Tensor> {
    let targets = targets.f_to_kind(Kind::Float)?;
    let positives = targets.f_sum_dim_intlist(0, false, None)?;
    let negatives = targets.f_ones_like()?.f_sum_dim_intlist(0, false, None)?.f_sub(&positives)?;
    Ok(negatives.f_div(&positives)?.f_masked_fill(&positives.f_eq(0)?, 1.0)?)
}
