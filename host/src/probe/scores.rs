//! The scores of predictions, one row each, in the order of an evaluation's columns.

use super::confusion::{ClassScore, balanced_accuracy, macro_f1, mean};
use super::metrics::Ranking;
use super::scored_predictions::ScoredPredictions;
use crate::metric::{
    ACCURACY, AUPRC, AUROC, BALANCED_ACCURACY, LABEL_ACCURACY, MACRO_F1, Metric, SENSITIVITY_AT_90, SENSITIVITY_AT_95,
    TOP5_ACCURACY,
};
use selfsame_plugin_api::Task;
use std::cell::OnceCell;

/// From this many classes on, the share of samples whose class is among the five likeliest is a score too.
const TOP5_FROM: usize = 10;

/// A score, and what it is of predictions: nothing where the task has no such score, [`None`] where it is not defined, as
/// an AUROC of one class.
pub struct Score {
    /// Its name, title and direction.
    pub metric: &'static Metric,
    of: fn(&Weighted) -> Option<Option<f64>>,
}

/// All scores.
pub static SCORES: [Score; 9] = [
    Score {
        metric: &ACCURACY,
        of: |it| it.is_single().then(|| Some(it.share(|predictions, at| predictions.is_right(at)))),
    },
    Score { metric: &LABEL_ACCURACY, of: |it| (!it.is_single()).then(|| Some(it.right_labels())) },
    Score {
        metric: &TOP5_ACCURACY,
        of: |it| {
            let has = it.is_single() && it.predictions.classes() >= TOP5_FROM;
            has.then(|| Some(it.share(|predictions, at| predictions.is_in_top5(at))))
        },
    },
    Score { metric: &BALANCED_ACCURACY, of: |it| it.is_single().then(|| balanced_accuracy(it.class_scores())) },
    Score { metric: &MACRO_F1, of: |it| Some(macro_f1(it.class_scores())) },
    Score { metric: &AUROC, of: |it| it.ranked(&|ranking| ranking.auroc(it.weight)) },
    Score { metric: &AUPRC, of: |it| it.ranked(&|ranking| ranking.average_precision(it.weight)) },
    Score { metric: &SENSITIVITY_AT_90, of: |it| it.binary(&|ranking| ranking.sensitivity_at(0.9, it.weight)) },
    Score { metric: &SENSITIVITY_AT_95, of: |it| it.binary(&|ranking| ranking.sensitivity_at(0.95, it.weight)) },
];

impl Score {
    /// What it is of these predictions.
    pub(super) fn of(&self, weighted: &Weighted) -> Option<Option<f64>> {
        (self.of)(weighted)
    }
}

/// Predictions, each of which counts with a weight.
pub(super) struct Weighted<'a> {
    predictions: &'a ScoredPredictions,
    weight: &'a dyn Fn(usize) -> f64,
    classes: OnceCell<Vec<ClassScore>>,
}

impl<'a> Weighted<'a> {
    pub fn new(predictions: &'a ScoredPredictions, weight: &'a dyn Fn(usize) -> f64) -> Self {
        Self { predictions, weight, classes: OnceCell::new() }
    }

    /// Whether each sample is of one class.
    fn is_single(&self) -> bool {
        self.predictions.task() != Task::Multilabel
    }

    fn class_scores(&self) -> &[ClassScore] {
        self.classes.get_or_init(|| self.predictions.class_scores(self.weight))
    }

    fn total(&self) -> f64 {
        (0..self.predictions.samples()).map(self.weight).sum()
    }

    /// The share of the samples for which this holds.
    fn share(&self, holds: impl Fn(&ScoredPredictions, usize) -> bool) -> f64 {
        let held = (0..self.predictions.samples()).filter(|&sample| holds(self.predictions, sample));
        // Rust's sum of nothing is −0.
        (held.map(self.weight).sum::<f64>() + 0.0) / self.total()
    }

    /// The share of single labels that are right.
    fn right_labels(&self) -> f64 {
        let right = |sample| (self.weight)(sample) * self.predictions.right_labels(sample) as f64;
        let right: f64 = (0..self.predictions.samples()).map(right).sum();
        right / (self.total() * self.predictions.classes() as f64)
    }

    /// A score of the ranking by the second class of two.
    fn binary(&self, score: &dyn Fn(&Ranking) -> Option<f64>) -> Option<Option<f64>> {
        (self.predictions.task() == Task::Binary).then(|| self.ranked(score)).flatten()
    }

    /// A score of rankings: that of the second class of two, or the mean over labels.
    fn ranked(&self, score: &dyn Fn(&Ranking) -> Option<f64>) -> Option<Option<f64>> {
        let rankings = self.predictions.rankings();
        match self.predictions.task() {
            Task::Binary => Some(rankings.get(1)?.as_ref().and_then(score)),
            Task::Multilabel => Some(mean(rankings.iter().flatten().filter_map(score))),
            Task::Multiclass | Task::None => None,
        }
    }
}
