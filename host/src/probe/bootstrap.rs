//! Percentile bootstrap (Efron & Tibshirani 1993, chapter 13): how much a score depends on which samples were drawn.

use crate::random;
use rand::Rng;
use std::collections::BTreeMap;

/// Resamples behind an interval.
pub const RESAMPLES: usize = 1000;

/// 95 % intervals of the scores that `statistic` computes from the samples' weights, in its order; none for a score
/// that is not defined on any resample.
///
/// Each of [`RESAMPLES`] resamples draws as many units as there are, with replacement: samples, or where `groups` names
/// the patient of each, whole patients (Field & Welsh 2007), since images of one patient are not independent. A sample's
/// weight is how often it was drawn. Resamples on which a score is not defined are left out of its interval.
pub fn intervals(
    samples: usize,
    groups: Option<&[String]>,
    seed: u64,
    statistic: impl Fn(&[f64]) -> Vec<Option<f64>>,
) -> Vec<Option<[f64; 2]>> {
    let mut unit_of_group: BTreeMap<&str, usize> = BTreeMap::new();
    let unit_of: Vec<usize> = match groups {
        None => (0..samples).collect(),
        Some(groups) => groups
            .iter()
            .map(|group| {
                let next = unit_of_group.len();
                *unit_of_group.entry(group).or_insert(next)
            })
            .collect(),
    };
    let units = if groups.is_some() { unit_of_group.len() } else { samples };
    let mut drawn: Vec<Vec<f64>> = Vec::new();
    for resample in 0..RESAMPLES as u64 {
        let mut random = random::generator(seed, "bootstrap", &[resample]);
        let mut times = vec![0.0; units];
        (0..units).for_each(|_| times[below(random.next_u64(), units)] += 1.0);
        let weights: Vec<f64> = unit_of.iter().map(|&unit| times[unit]).collect();
        let scores = statistic(&weights);
        drawn.resize_with(scores.len(), Vec::new);
        drawn.iter_mut().zip(scores).for_each(|(drawn, score)| drawn.extend(score));
    }
    drawn.into_iter().map(interval).collect()
}

/// Uniform in 0..n from 64 random bits.
fn below(bits: u64, n: usize) -> usize {
    ((u128::from(bits) * n as u128) >> 64) as usize
}

fn interval(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_unstable_by(f64::total_cmp);
    (!values.is_empty()).then(|| [quantile(&values, 0.025), quantile(&values, 0.975)])
}

/// Linear between the sorted values, as NumPy's default.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(values: &[f64]) -> impl Fn(&[f64]) -> Vec<Option<f64>> {
        move |weights| {
            let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * w).sum();
            vec![Some(sum / weights.iter().sum::<f64>())]
        }
    }

    #[test]
    fn the_interval_of_a_share_is_the_binomial_one() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
        let [low, high] = intervals(400, None, 1, share(&values))[0].unwrap();
        // 0.25 ± 1.96 · √(0.25 · 0.75 / 400)
        assert!((low - 0.2076).abs() < 0.006 && (high - 0.2924).abs() < 0.006, "{low} {high}");
        assert_eq!(intervals(400, None, 1, share(&values))[0], Some([low, high]));
    }

    #[test]
    fn images_of_one_patient_widen_it() {
        // 40 patients of ten equal images each tell what 40 images do: the interval is √10 times as wide.
        let values: Vec<f64> = (0..400).map(|i| f64::from(u8::from((i / 10) % 4 == 0))).collect();
        let patients: Vec<String> = (0..400).map(|i| (i / 10).to_string()).collect();
        let [low, high] = intervals(400, Some(&patients), 1, share(&values))[0].unwrap();
        assert!((high - low - 0.268).abs() < 0.04, "{low} {high}");
    }

    #[test]
    fn a_score_that_is_never_defined_has_no_interval() {
        assert_eq!(intervals(3, None, 1, |_| vec![None]), [None]);
    }

    #[test]
    fn quantiles_lie_between_the_values() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    }
}
