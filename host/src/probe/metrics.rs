//! Exact ranking metrics of binary scores.

/// Area under the receiver operating characteristic: the probability that a positive scores above a negative, ties
/// counting half. None where there is only one class, or a score is not a number.
#[must_use]
pub fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let (mut area, mut seen) = (0.0, Counts::default());
    let total = sweep(scores, positive, |tied| {
        // Every negative of this group is below all positives seen so far, and tied with those of its own group.
        area += tied.negatives * (seen.positives + tied.positives / 2.0);
        seen = seen.plus(tied);
    })?;
    Some(area / (total.positives * total.negatives))
}

/// Average precision, the area under the precision-recall curve as a sum of steps: Σ (Rₙ − Rₙ₋₁)·Pₙ over the distinct
/// scores. None where there is only one class, or a score is not a number.
#[must_use]
pub fn average_precision(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let (mut sum, mut seen) = (0.0, Counts::default());
    let total = sweep(scores, positive, |tied| {
        seen = seen.plus(tied);
        sum += tied.positives * seen.positives / (seen.positives + seen.negatives);
    })?;
    Some(sum / total.positives)
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

/// Hands the groups of equal scores to `visit`, highest first; returns the totals where both classes are there.
fn sweep(scores: &[f64], positive: &[bool], mut visit: impl FnMut(Counts)) -> Option<Counts> {
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    if ranked.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut total = Counts::default();
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let positives = tied.iter().filter(|(_, positive)| *positive).count() as f64;
        let group = Counts { positives, negatives: tied.len() as f64 - positives };
        total = total.plus(group);
        visit(group);
    }
    (total.positives > 0.0 && total.negatives > 0.0).then_some(total)
}
