//! Cutting a validation split from a training split: seeded, stratified by class, and by whole groups.

use crate::random;
use selfsame_plugin_api::Targets;
use std::collections::BTreeMap;

/// Indices of the two parts, each in the order of the seeded shuffle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Samples to learn from.
    pub train: Vec<usize>,
    /// Samples held out.
    pub val: Vec<usize>,
}

/// Holds `fraction` (in [0, 1)) of `n` samples out.
///
/// Samples of one group (a patient) always land in the same part. Whole groups are drawn class by class in a shuffled
/// order while the class's share of held-out samples is not yet full, so with groups of one the shares are exact to
/// one sample a class. The class of a group is the highest class index among its samples (for a binary task: positive
/// when any image is). Multilabel and unlabelled data are not stratified.
pub fn cut(n: usize, targets: &Targets, groups: Option<&[String]>, fraction: f64, seed: u64) -> Parts {
    let class_of = |index: usize| match targets {
        Targets::Classes(classes) => classes[index],
        Targets::Multilabel(_) | Targets::None => 0,
    };
    let shuffled = random::permutation(n, seed, "split", &[]);

    // Groups in the order in which the shuffle meets them.
    let mut position_of_group: BTreeMap<&str, usize> = BTreeMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for &index in &shuffled {
        match groups {
            Some(groups) => {
                let position = *position_of_group.entry(&groups[index]).or_insert_with(|| {
                    members.push(Vec::new());
                    members.len() - 1
                });
                members[position].push(index);
            }
            None => members.push(vec![index]),
        }
    }

    let group_class: Vec<i64> =
        members.iter().map(|group| group.iter().map(|&index| class_of(index)).max().unwrap_or(0)).collect();
    let mut class_sizes: BTreeMap<i64, usize> = BTreeMap::new();
    for (group, class) in members.iter().zip(&group_class) {
        *class_sizes.entry(*class).or_default() += group.len();
    }
    let wanted: BTreeMap<i64, usize> =
        class_sizes.iter().map(|(class, size)| (*class, (*size as f64 * fraction).round() as usize)).collect();

    let mut held: BTreeMap<i64, usize> = BTreeMap::new();
    let mut in_val = vec![false; n];
    for (group, class) in members.iter().zip(&group_class) {
        let held = held.entry(*class).or_default();
        if *held + group.len() <= wanted[class] {
            *held += group.len();
            group.iter().for_each(|&index| in_val[index] = true);
        }
    }
    let (val, train) = shuffled.into_iter().partition(|&index| in_val[index]);
    Parts { train, val }
}

/// The first `limit` samples of a part.
pub fn limited(mut part: Vec<usize>, limit: Option<usize>) -> Vec<usize> {
    part.truncate(limit.unwrap_or(usize::MAX));
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_class_gives_its_share() {
        let classes: Vec<i64> = (0..1000).map(|i| if i < 900 { 0 } else { 1 }).collect();
        let parts = cut(1000, &Targets::Classes(classes.clone()), None, 0.1, 7);
        assert_eq!(parts.val.len(), 100);
        assert_eq!(parts.val.iter().filter(|&&i| classes[i] == 1).count(), 10);
        assert_ne!(parts, cut(1000, &Targets::Classes(classes), None, 0.1, 8));
    }

    #[test]
    fn a_fraction_of_zero_trains_on_everything() {
        let parts = cut(10, &Targets::None, None, 0.0, 1);
        assert_eq!((parts.train.len(), parts.val.len()), (10, 0));
    }

    proptest! {
        #[test]
        fn no_group_stands_on_both_sides(patients in prop::collection::vec(0u8..30, 1..200), fraction in 0.0..0.9f64, seed: u64) {
            let groups: Vec<String> = patients.iter().map(u8::to_string).collect();
            let classes = patients.iter().map(|p| i64::from(p % 3)).collect();
            let n = patients.len();
            let parts = cut(n, &Targets::Classes(classes), Some(&groups), fraction, seed);
            let mut all: Vec<usize> = parts.train.iter().chain(&parts.val).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
            for held in &parts.val {
                prop_assert!(parts.train.iter().all(|kept| groups[*kept] != groups[*held]));
            }
        }
    }
}
