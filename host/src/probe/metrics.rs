//! Exact ranking metrics of binary scores.

/// Area under the receiver operating characteristic: the probability that a positive scores above a negative, ties
/// counting half. None where there is only one class, or a score is not a number.
#[must_use]
pub fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    Ranking::new(scores, positive)?.auroc(|_| 1.0)
}

/// Average precision, the area under the precision-recall curve as a sum of steps: Σ (Rₙ − Rₙ₋₁)·Pₙ over the distinct
/// scores. None where there is only one class, or a score is not a number.
#[must_use]
pub fn average_precision(scores: &[f64], positive: &[bool]) -> Option<f64> {
    Ranking::new(scores, positive)?.average_precision(|_| 1.0)
}

/// Samples by falling score, sorted once for metrics under many weightings of the samples.
#[derive(Debug, Clone)]
pub struct Ranking {
    ranked: Vec<Ranked>,
}

#[derive(Debug, Clone, Copy)]
struct Ranked {
    sample: usize,
    positive: bool,
    /// Whether the next one has a lower score, or there is none.
    ends_tie: bool,
}

impl Ranking {
    /// Sorts the samples. None where a score is not a number.
    #[must_use]
    pub fn new(scores: &[f64], positive: &[bool]) -> Option<Self> {
        if scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        let mut order: Vec<usize> = (0..scores.len().min(positive.len())).collect();
        order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let ends_tie = |at: usize| order.get(at + 1).is_none_or(|&next| scores[next] != scores[order[at]]);
        let ranked =
            |(at, &sample): (usize, &usize)| Ranked { sample, positive: positive[sample], ends_tie: ends_tie(at) };
        Some(Self { ranked: order.iter().enumerate().map(ranked).collect() })
    }

    /// As [`auroc`], each sample counting with its weight (at least 0).
    pub fn auroc(&self, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut area, mut seen) = (0.0, Counts::default());
        let total = self.sweep(weight, |tied| {
            // Every negative of this group is below all positives seen so far, and tied with those of its own group.
            area += tied.negatives * (seen.positives + tied.positives / 2.0);
            seen = seen.plus(tied);
        })?;
        Some(area / (total.positives * total.negatives))
    }

    /// As [`average_precision`], each sample counting with its weight (at least 0).
    pub fn average_precision(&self, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let (mut sum, mut seen) = (0.0, Counts::default());
        let total = self.sweep(weight, |tied| {
            seen = seen.plus(tied);
            if tied.positives > 0.0 {
                sum += tied.positives * seen.positives / (seen.positives + seen.negatives);
            }
        })?;
        Some(sum / total.positives)
    }

    /// The largest sensitivity among thresholds whose specificity is at least this; each sample counts with its weight (at
    /// least 0). Thresholds are the scores themselves, so nothing is interpolated; 0 where only calling nothing positive is
    /// specific enough. None where there is only one class.
    pub fn sensitivity_at(&self, specificity: f64, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let (points, total) = self.points(weight)?;
        // Rounding of the weights' sum must not cost a threshold that is exactly specific enough.
        let false_alarms = (1.0 - specificity) * total.negatives * (1.0 + 1e-9);
        let fits = points.iter().take_while(|seen| seen.negatives <= false_alarms);
        Some(fits.last().map_or(0.0, |seen| seen.positives) / total.positives)
    }

    /// The ROC curve: false positive rate and true positive rate at each threshold, from (0, 0) to (1, 1). None where there
    /// is only one class.
    #[must_use]
    pub fn roc(&self) -> Option<Vec<[f64; 2]>> {
        let (points, total) = self.points(|_| 1.0)?;
        let rates = points.iter().map(|seen| [seen.negatives / total.negatives, seen.positives / total.positives]);
        Some([[0.0, 0.0]].into_iter().chain(rates).collect())
    }

    /// The precision-recall curve: recall and precision at each threshold, by rising recall. None where there is only one
    /// class.
    #[must_use]
    pub fn precision_recall(&self) -> Option<Vec<[f64; 2]>> {
        let (points, total) = self.points(|_| 1.0)?;
        let point =
            |seen: &Counts| [seen.positives / total.positives, seen.positives / (seen.positives + seen.negatives)];
        Some(points.iter().map(point).collect())
    }

    /// What lies at or above each threshold, highest threshold first, and the totals.
    fn points(&self, weight: impl Fn(usize) -> f64) -> Option<(Vec<Counts>, Counts)> {
        let (mut points, mut seen) = (Vec::new(), Counts::default());
        let total = self.sweep(weight, |tied| {
            seen = seen.plus(tied);
            points.push(seen);
        })?;
        Some((points, total))
    }

    /// Hands the groups of equal scores to `visit`, highest first; returns the totals where both classes are there.
    fn sweep(&self, weight: impl Fn(usize) -> f64, mut visit: impl FnMut(Counts)) -> Option<Counts> {
        let (mut total, mut tied) = (Counts::default(), Counts::default());
        for &Ranked { sample, positive, ends_tie } in &self.ranked {
            *(if positive { &mut tied.positives } else { &mut tied.negatives }) += weight(sample);
            if ends_tie {
                visit(tied);
                total = total.plus(std::mem::take(&mut tied));
            }
        }
        (total.positives > 0.0 && total.negatives > 0.0).then_some(total)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    positives: f64,
    negatives: f64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self { positives: self.positives + other.positives, negatives: self.negatives + other.negatives }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores 9 to 1, of which 9, 7, 6 and 3 are positive; 5 and 5 are tied, one of each.
    fn ranking() -> Ranking {
        let scores = [9.0, 8.0, 7.0, 6.0, 5.0, 5.0, 3.0, 2.0, 1.0];
        let positive = [true, false, true, true, true, false, true, false, false];
        Ranking::new(&scores, &positive).unwrap()
    }

    #[test]
    fn sensitivity_is_read_off_at_a_threshold_that_is_specific_enough() {
        // By hand: 5 positives, 4 negatives; (false, true) positives after each threshold: (0, 1), (1, 1), (1, 2), (1, 3),
        // (2, 4), (2, 5), (3, 5), (4, 5).
        for (specificity, expected) in [(1.0, 0.2), (0.9, 0.2), (0.75, 0.6), (0.6, 0.6), (0.5, 1.0), (0.0, 1.0)] {
            assert_eq!(ranking().sensitivity_at(specificity, |_| 1.0), Some(expected), "{specificity}");
        }
        // Without the first positive, nothing is found before the first false alarm.
        assert_eq!(ranking().sensitivity_at(0.9, |sample| if sample == 0 { 0.0 } else { 1.0 }), Some(0.0));
        assert_eq!(Ranking::new(&[1.0, 2.0], &[true, true]).unwrap().sensitivity_at(0.9, |_| 1.0), None);
    }

    #[test]
    fn curves_pass_every_threshold_once() {
        let roc = ranking().roc().unwrap();
        let expected = [
            [0.0, 0.0],
            [0.0, 0.2],
            [0.25, 0.2],
            [0.25, 0.4],
            [0.25, 0.6],
            [0.5, 0.8],
            [0.5, 1.0],
            [0.75, 1.0],
            [1.0, 1.0],
        ];
        assert_eq!(roc, expected);
        // The area under its steps and slopes is the AUROC.
        let area: f64 = roc.windows(2).map(|p| (p[1][0] - p[0][0]) * (p[0][1] + p[1][1]) / 2.0).sum();
        assert!((area - ranking().auroc(|_| 1.0).unwrap()).abs() < 1e-12);
        let recall = ranking().precision_recall().unwrap();
        assert_eq!((recall[0], recall[3], recall[7]), ([0.2, 1.0], [0.6, 0.75], [1.0, 5.0 / 9.0]));
    }
}
