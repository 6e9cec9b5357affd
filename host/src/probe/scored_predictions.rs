//! Predicted probabilities against the truth: every score that an evaluation reports.

use super::confusion::{ClassScore, Confusion, mean};
use super::metrics::Ranking;
use super::scores::{SCORES, Weighted};
use crate::metric::{AUROC, Metric};
use crate::model::{Error, Result};
use selfsame_plugin_api::Task;
use tch::{Kind, Tensor};

/// One prediction for each sample of a split.
pub struct ScoredPredictions {
    task: Task,
    classes: usize,
    /// Sample by sample, `[N, classes]`: whether it is of the class.
    truth: Vec<bool>,
    /// Sample by sample: the class and the predicted one, and whether it is among the five likeliest. Empty for
    /// multilabel.
    single: Vec<Single>,
    /// `[N, classes]`: probability above one half. Empty unless multilabel.
    flags: Vec<bool>,
    rankings: Vec<Option<Ranking>>,
}

struct Single {
    class: usize,
    predicted: usize,
    in_top5: bool,
}

/// Scores; none where one is not defined, such as an AUROC of one class.
pub type Scores = Vec<(&'static Metric, Option<f64>)>;

impl ScoredPredictions {
    /// `probabilities` are `[N, classes]`, larger is likelier; `labels` int64 `[N]`, or 0 and 1 `[N, classes]` for
    /// multilabel. Of classes that are equally likely, the first is predicted.
    ///
    /// # Errors
    /// No samples, shapes that do not fit, labels out of range, probabilities that are no numbers.
    pub fn new(task: Task, probabilities: &Tensor, labels: &Tensor) -> Result<Self> {
        let (n, classes) = probabilities.size2()?;
        let (n, classes) = (n as usize, classes as usize);
        let p = Vec::<f64>::try_from(probabilities.f_to_kind(Kind::Double)?.f_flatten(0, -1)?)?;
        let labels = Vec::<f64>::try_from(labels.f_to_kind(Kind::Double)?.f_flatten(0, -1)?)?;
        let multilabel = task == Task::Multilabel;
        let expected = if multilabel { n * classes } else { n };
        let fits = |label: &f64| *label >= 0.0 && *label < if multilabel { 2.0 } else { classes as f64 };
        if n == 0 || labels.len() != expected || !labels.iter().all(fits) {
            return Err(Error::Input(format!(
                "scores need samples and a label for each: there are predictions {n} × {classes} and {} labels",
                labels.len()
            )));
        }
        if !p.iter().all(|p| p.is_finite()) {
            return Err(Error::Input(
                "the predictions are not finite, as those of an encoder whose training diverged".to_owned(),
            ));
        }
        let truth: Vec<bool> = if multilabel {
            labels.iter().map(|&label| label > 0.5).collect()
        } else {
            labels.iter().flat_map(|&label| (0..classes).map(move |class| class == label as usize)).collect()
        };
        let single = |(row, &label): (&[f64], &f64)| {
            let class = label as usize;
            let before = |&other: &usize| row[other] > row[class] || (row[other] == row[class] && other < class);
            let better = |best: usize, other: usize| if row[other] > row[best] { other } else { best };
            // A class that none of kNN's neighbours has is not among the likeliest.
            let in_top5 = row[class] > 0.0 && (0..classes).filter(before).count() < 5;
            Single { class, predicted: (0..classes).fold(0, better), in_top5 }
        };
        let single = if multilabel { Vec::new() } else { p.chunks(classes).zip(&labels).map(single).collect() };
        let flags = if multilabel { p.iter().map(|&p| p > 0.5).collect() } else { Vec::new() };
        let rankings = (0..classes).map(|class| {
            let scores: Vec<f64> = p.iter().skip(class).step_by(classes).copied().collect();
            let positive: Vec<bool> = truth.iter().skip(class).step_by(classes).copied().collect();
            Ranking::new(&scores, &positive)
        });
        let rankings = rankings.collect();
        Ok(Self { task, classes, truth, single, flags, rankings })
    }

    /// What the labels mean.
    pub fn task(&self) -> Task {
        self.task
    }

    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    /// Whether the class of a sample is the predicted one.
    pub(super) fn is_right(&self, sample: usize) -> bool {
        self.single[sample].class == self.single[sample].predicted
    }

    /// Whether it is among the five likeliest.
    pub(super) fn is_in_top5(&self, sample: usize) -> bool {
        self.single[sample].in_top5
    }

    /// How many labels of a sample are right.
    pub(super) fn right_labels(&self, sample: usize) -> usize {
        let row = sample * self.classes..(sample + 1) * self.classes;
        row.filter(|&at| self.flags[at] == self.truth[at]).count()
    }

    /// The samples by the score of each class; none where it has no samples or all.
    pub fn rankings(&self) -> &[Option<Ranking>] {
        &self.rankings
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.truth.len() / self.classes
    }

    /// All scores, each sample counting once.
    #[must_use]
    pub fn scores(&self) -> Scores {
        let mut scores = self.weighted(&|_| 1.0);
        if self.task == Task::Multiclass {
            scores.push((&AUROC, mean(self.class_auroc().into_iter().flatten())));
        }
        scores
    }

    /// The scores with each sample counting with its weight: the rows of [`SCORES`] that the task has.
    ///
    /// [`ScoredPredictions::scores`] adds the mean of all classes' AUROC for multiclass tasks.
    pub fn weighted(&self, weight: &dyn Fn(usize) -> f64) -> Scores {
        let weighted = Weighted::new(self, weight);
        SCORES.iter().filter_map(|score| Some((score.metric, score.of(&weighted)?))).collect()
    }

    /// Each class against all others.
    pub fn class_scores(&self, weight: &dyn Fn(usize) -> f64) -> Vec<ClassScore> {
        if self.task != Task::Multilabel {
            return self.confusion(weight).classes();
        }
        let score = |class: usize| {
            let sum = |holds: &dyn Fn(usize) -> bool| {
                let held = (0..self.samples()).filter(|sample| holds(sample * self.classes + class));
                held.map(weight).sum::<f64>() + 0.0
            };
            ClassScore::of(
                sum(&|at| self.flags[at] && self.truth[at]),
                sum(&|at| self.flags[at]),
                sum(&|at| self.truth[at]),
            )
        };
        (0..self.classes).map(score).collect()
    }

    /// AUROC of each class against all others; none where it is not defined.
    #[must_use]
    pub fn class_auroc(&self) -> Vec<Option<f64>> {
        self.rankings.iter().map(|ranking| ranking.as_ref()?.auroc(|_| 1.0)).collect()
    }

    /// Counts of (true, predicted); nothing is counted for multilabel.
    pub fn confusion(&self, weight: &dyn Fn(usize) -> f64) -> Confusion {
        let pairs = self.single.iter().enumerate();
        Confusion::of(self.classes, pairs.map(|(sample, single)| (single.class, single.predicted, weight(sample))))
    }
}
