//! Predicted probabilities against the truth: every score that an evaluation reports.

use super::confusion::{ClassScore, Confusion, balanced_accuracy, macro_f1, mean};
use super::metrics::Ranking;
use crate::metric::{ACCURACY, AUPRC, AUROC, BALANCED_ACCURACY, LABEL_ACCURACY, MACRO_F1, Metric, TOP5_ACCURACY};
use crate::model::{Error, Result};
use selfsame_plugin_api::Task;
use tch::{Kind, Tensor};

/// From this many classes on, the share of samples whose class is among the five likeliest is a score too.
const TOP5_FROM: usize = 10;

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

    /// The scores with each sample counting with its weight: `accuracy` (for multilabel, of single labels at
    /// probability 0.5), `top5_accuracy` from ten classes on, `balanced_accuracy` (the mean recall), `macro_f1`;
    /// `auroc` and `auprc` for binary tasks (of the second class) and multilabel ones (the mean over labels).
    ///
    /// [`ScoredPredictions::scores`] adds the mean of all classes' AUROC for multiclass tasks.
    pub fn weighted(&self, weight: &dyn Fn(usize) -> f64) -> Scores {
        let classes = self.class_scores(weight);
        let total: f64 = (0..self.samples()).map(weight).sum();
        if self.task == Task::Multilabel {
            let right = |sample: usize| {
                let row = sample * self.classes..(sample + 1) * self.classes;
                row.filter(|&at| self.flags[at] == self.truth[at]).count() as f64
            };
            let right: f64 = (0..self.samples()).map(|sample| weight(sample) * right(sample)).sum();
            let rank = |rank: &dyn Fn(&Ranking) -> Option<f64>| mean(self.rankings.iter().flatten().filter_map(rank));
            return vec![
                (&LABEL_ACCURACY, Some(right / (total * self.classes as f64))),
                (&MACRO_F1, macro_f1(&classes)),
                (&AUROC, rank(&|ranking| ranking.auroc(weight))),
                (&AUPRC, rank(&|ranking| ranking.average_precision(weight))),
            ];
        }
        let share = |holds: &dyn Fn(&Single) -> bool| {
            let held = self.single.iter().enumerate().filter(|(_, single)| holds(single));
            // Rust's sum of nothing is −0.
            Some((held.map(|(sample, _)| weight(sample)).sum::<f64>() + 0.0) / total)
        };
        let mut scores = vec![(&ACCURACY, share(&|single| single.class == single.predicted))];
        if self.classes >= TOP5_FROM {
            scores.push((&TOP5_ACCURACY, share(&|single| single.in_top5)));
        }
        scores.push((&BALANCED_ACCURACY, balanced_accuracy(&classes)));
        scores.push((&MACRO_F1, macro_f1(&classes)));
        if let (Task::Binary, Some(ranking)) = (self.task, self.rankings.get(1)) {
            let ranking = ranking.as_ref();
            scores.push((&AUROC, ranking.and_then(|ranking| ranking.auroc(weight))));
            scores.push((&AUPRC, ranking.and_then(|ranking| ranking.average_precision(weight))));
        }
        scores
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
