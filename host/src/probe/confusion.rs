//! What a classifier's predictions say class by class.

/// Weighted counts of (true class, predicted class), from which the usual scores follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<f64>,
}

/// One class against all others. A score whose denominator is 0 is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScore {
    /// Samples of the class.
    pub support: f64,
    /// Samples predicted as the class.
    pub predicted: f64,
    /// Share of the samples predicted as the class that are of it.
    pub precision: f64,
    /// Share of the samples of the class that are predicted as it.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

impl Confusion {
    /// Counts pairs of classes in 0..`classes`, each with its weight.
    #[must_use]
    pub fn of(classes: usize, pairs: impl IntoIterator<Item = (usize, usize, f64)>) -> Self {
        let mut counts = vec![0.0; classes * classes];
        for (truth, predicted, weight) in pairs {
            counts[truth * classes + predicted] += weight;
        }
        Self { classes, counts }
    }

    /// The counts of one true class, by predicted class.
    #[must_use]
    pub fn row(&self, truth: usize) -> &[f64] {
        &self.counts[truth * self.classes..(truth + 1) * self.classes]
    }

    /// The scores of each class.
    #[must_use]
    pub fn classes(&self) -> Vec<ClassScore> {
        let mut predicted = vec![0.0; self.classes];
        for truth in 0..self.classes {
            self.row(truth).iter().zip(&mut predicted).for_each(|(count, sum)| *sum += count);
        }
        let score =
            |class: usize| ClassScore::of(self.row(class)[class], predicted[class], self.row(class).iter().sum());
        (0..self.classes).map(score).collect()
    }
}

impl ClassScore {
    /// From the number of samples that are of the class and predicted so, predicted so, and of the class.
    #[must_use]
    pub fn of(right: f64, predicted: f64, support: f64) -> Self {
        let share = |of: f64, all: f64| if all > 0.0 { of / all } else { 0.0 };
        Self {
            support,
            predicted,
            precision: share(right, predicted),
            recall: share(right, support),
            f1: share(2.0 * right, predicted + support),
        }
    }
}

/// The mean recall over the classes that occur.
#[must_use]
pub fn balanced_accuracy(classes: &[ClassScore]) -> Option<f64> {
    mean(classes.iter().filter(|class| class.support > 0.0).map(|class| class.recall))
}

/// The mean F1 over the classes that occur or are predicted.
#[must_use]
pub fn macro_f1(classes: &[ClassScore]) -> Option<f64> {
    mean(classes.iter().filter(|class| class.support + class.predicted > 0.0).map(|class| class.f1))
}

/// The mean, where there is anything.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}
