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
