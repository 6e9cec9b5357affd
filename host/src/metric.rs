//! What is measured, each once: its name in files, what people read, and which way is better.

use selfsame_plugin_api::Split;
use std::fmt;

/// Which values are better ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Larger ones.
    Up,
    /// Smaller ones.
    Down,
}

/// A score or another quantity.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// Of a score, the last part of its name in files, after probe and split; of anything else, the whole.
    pub name: &'static str,
    /// In tables and lines.
    pub title: &'static str,
    /// Over its curve.
    pub axis: &'static str,
    /// None where neither is.
    pub better: Option<Better>,
    /// Whether it is a share, in [0, 1], that people read as a percentage.
    pub percent: bool,
    /// Whether kNN and linear probe record it while the encoder trains; otherwise only evaluations do.
    pub while_training: bool,
}

/// Share of right predictions, where each sample is of one class.
pub const ACCURACY: Metric = score("accuracy", "top-1", "Accuracy", true);
/// Share of right predictions of single labels, where a sample may have several.
pub const LABEL_ACCURACY: Metric = score("accuracy", "accuracy", "Accuracy", false);
/// Share of samples whose class is among the five likeliest.
pub const TOP5_ACCURACY: Metric = score("top5_accuracy", "top-5", "Accuracy", false);
/// Mean recall over the classes.
pub const BALANCED_ACCURACY: Metric = score("balanced_accuracy", "balanced", "Accuracy", false);
/// Mean F1 over the classes.
pub const MACRO_F1: Metric = score("macro_f1", "macro F1", "F1", false);
/// Area under the ROC curve.
pub const AUROC: Metric = score("auroc", "AUROC", "AUROC", true);
/// Average precision.
pub const AUPRC: Metric = score("auprc", "AUPRC", "AUPRC", true);
/// The largest sensitivity (recall of the second class of two) of any threshold whose specificity is at least 90 %.
pub const SENSITIVITY_AT_90: Metric =
    score("sensitivity_at_90_specificity", "sensitivity at 90 % specificity", "Sensitivity", false);
/// The same at a specificity of at least 95 %.
pub const SENSITIVITY_AT_95: Metric =
    score("sensitivity_at_95_specificity", "sensitivity at 95 % specificity", "Sensitivity", false);
/// The online head's loss.
pub const HEAD_LOSS: Metric = quantity("loss", "loss", "Loss of the head", Some(Better::Down));

/// Loss of the latest training steps.
pub const TRAIN_LOSS: Metric = quantity("ssl/train/loss", "loss", "Loss", Some(Better::Down));
/// Mean training loss over an epoch.
pub const EPOCH_LOSS: Metric = quantity("ssl/train/epoch_loss", "loss", "Loss", Some(Better::Down));
/// Loss on validation images.
pub const VAL_LOSS: Metric = quantity("ssl/val/loss", "validation loss", "Loss", Some(Better::Down));
/// Learning rate of the latest step.
pub const LEARNING_RATE: Metric = quantity("optim/lr", "learning rate", "Learning rate", None);
/// Weight decay of the latest step, where it changes.
pub const WEIGHT_DECAY: Metric = quantity("optim/weight_decay", "weight decay", "Weight decay", None);
/// What the loss is multiplied with in float16.
pub const LOSS_SCALE: Metric = quantity("optim/loss_scale", "loss scale", "Loss scale", None);
/// Norm of all gradients together, before they are clipped.
pub const GRADIENT_NORM: Metric = quantity("optim/grad_norm", "gradient norm", "Gradient norm", None);
/// Images that pass the training step in a second.
pub const IMAGES_PER_S: Metric = quantity("throughput/images_per_s", "images/s", "Images per second", Some(Better::Up));
/// Share of the time that steps wait for images.
pub const DATA_WAIT: Metric = Metric {
    percent: true,
    ..quantity("throughput/data_wait_fraction", "data wait", "Wait for data", Some(Better::Down))
};
/// Spread of the features over the images.
pub const FEATURE_STD: Metric =
    quantity("features/std", "feature std", "Standard deviation of the features (near 0: collapse)", None);
/// Spread of the features of a training batch.
pub const BATCH_FEATURE_STD: Metric = Metric { name: "features/train/std", ..FEATURE_STD };
/// How many directions the features of the images fill (Garrido et al. 2023).
pub const EFFECTIVE_RANK: Metric =
    quantity("features/effective_rank", "effective rank", "Effective rank of the features (near 1: collapse)", None);
/// The same of the features of a training batch.
pub const BATCH_EFFECTIVE_RANK: Metric = Metric { name: "features/train/effective_rank", ..EFFECTIVE_RANK };
/// The most memory of the GPU that was taken.
pub const PEAK_MEMORY: Metric = quantity("memory/peak_bytes", "peak memory", "Peak memory", None);

const fn score(name: &'static str, title: &'static str, axis: &'static str, while_training: bool) -> Metric {
    Metric { name, title, axis, better: Some(Better::Up), percent: true, while_training }
}

const fn quantity(name: &'static str, title: &'static str, axis: &'static str, better: Option<Better>) -> Metric {
    Metric { name, title, axis, better, percent: false, while_training: true }
}

impl Metric {
    /// Whether `one` is better than `other`; never where neither way is.
    #[must_use]
    pub fn is_better(&self, one: f64, other: f64) -> bool {
        match self.better {
            Some(Better::Up) => one > other,
            Some(Better::Down) => one < other,
            None => false,
        }
    }

    /// A value as people read it: a percentage with one decimal, or a number with four.
    #[must_use]
    pub fn text(&self, value: f64) -> String {
        if self.percent { format!("{:.1} %", 100.0 * value) } else { format!("{value:.4}") }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What predicts labels while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// k nearest neighbours.
    Knn,
    /// A linear classifier on frozen features, with L2 = 1/N.
    Linear,
    /// The linear head that learns beside the encoder.
    Online,
}

impl Probe {
    /// The first part of the names of its scores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Probe::Knn => "knn",
            Probe::Linear => "linear",
            Probe::Online => "online",
        }
    }

    /// In tables and lines. An evaluation's `linear` chooses its L2, and this one does not.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Probe::Knn => "kNN",
            Probe::Linear => "linear (fixed L2)",
            Probe::Online => "head",
        }
    }

    /// A score of it, as people read it: `kNN top-1`.
    #[must_use]
    pub fn titled(self, score: &Metric) -> String {
        format!("{} {}", self.title(), score.title)
    }

    /// The name of its score of a split: `knn/val/accuracy`.
    #[must_use]
    pub fn metric(self, split: Split, score: &Metric) -> String {
        format!("{}/{}/{score}", self.name(), split.name())
    }
}

/// The name of what was measured of the encoder before its first step.
#[must_use]
pub fn untrained(name: &str) -> String {
    format!("untrained/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_files() {
        assert_eq!(Probe::Knn.metric(Split::Val, &ACCURACY), "knn/val/accuracy");
        assert_eq!(untrained(&Probe::Linear.metric(Split::Test, &AUROC)), "untrained/linear/test/auroc");
        assert_eq!(Probe::Online.metric(Split::Train, &HEAD_LOSS), "online/train/loss");
    }

    #[test]
    fn better_goes_the_way_that_the_table_says() {
        assert!(AUROC.is_better(0.8, 0.7) && !AUROC.is_better(0.7, 0.7));
        assert!(VAL_LOSS.is_better(0.7, 0.8) && !FEATURE_STD.is_better(0.7, 0.8));
        assert_eq!((ACCURACY.text(0.25), VAL_LOSS.text(0.25)), ("25.0 %".into(), "0.2500".into()));
    }
}
