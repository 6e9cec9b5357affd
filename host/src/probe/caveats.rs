//! Circumstances under which scores say less than they seem to, in words for screen, report and record.

use super::Spread;
use crate::metric::{EFFECTIVE_RANK, FEATURE_STD};
use crate::model::Result;
use selfsame_plugin_api::{Split, Task};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Of L2-normalised features ([`feature_std`](super::feature_std)), below which all images look the same to the encoder.
const CONSTANT: f64 = 0.01;

/// Of the effective rank, below which the features lie on one line.
const ONE_DIRECTION: f64 = 1.5;

/// Images of a scored split, or patients, of which an interval says hardly anything: 95 % of an accuracy are ± 18 points.
const FEW: usize = 30;

/// Class names that a sentence lists.
const NAMED: usize = 5;

/// What was said of scores, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Warnings(Vec<String>);

impl Warnings {
    /// Says it on the screen and keeps it, unless it was said before.
    pub fn warn(&mut self, warning: String) {
        if !self.0.contains(&warning) {
            tracing::warn!("{warning}");
            self.0.push(warning);
        }
    }

    /// Keeps what was said elsewhere.
    pub fn keep(&mut self, said: &Warnings) {
        let new: Vec<_> = said.iter().filter(|warning| !self.0.contains(warning)).cloned().collect();
        self.0.extend(new);
    }

    /// In the order in which they were said.
    pub fn iter(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The labels of a split.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    /// Which one it is.
    pub split: Split,
    /// int64 `[N]`, or 0 and 1 `[N, classes]` for multilabel.
    pub labels: &'a Tensor,
    /// How many groups (patients) the samples are of, where that is known.
    pub groups: Option<usize>,
}

/// What has to be said of scores of the split `scored` by probes that learn from `train`. `k` are the neighbours of kNN,
/// where it is measured.
///
/// # Errors
/// Anything libtorch refuses.
pub fn of_labels(
    task: Task,
    classes: &[String],
    k: Option<usize>,
    train: Labels,
    scored: Labels,
) -> Result<Vec<String>> {
    let known = counts(train.labels, classes.len())?;
    let bank = train.labels.size().first().copied().unwrap_or(0) as usize;
    let mut found = Vec::new();
    found.extend(k.and_then(|k| of_neighbours(k, bank, classes, &known)));
    found.extend(of_missing(task, train.split, classes, &known));
    found.extend(of_missing(task, scored.split, classes, &counts(scored.labels, classes.len())?));
    found.extend(of_few(task, scored));
    Ok(found)
}

/// Samples of each class.
fn counts(labels: &Tensor, classes: usize) -> Result<Vec<usize>> {
    let labels = labels.f_to_device(Device::Cpu)?.f_to_kind(Kind::Int64)?;
    let counts = match labels.dim() {
        1 => labels.f_bincount::<&Tensor>(None, classes as i64)?,
        _ => labels.f_sum_dim_intlist(0, false, Kind::Int64)?,
    };
    Ok(Vec::<i64>::try_from(counts)?.into_iter().map(|count| count as usize).collect())
}

fn of_neighbours(k: usize, bank: usize, classes: &[String], known: &[usize]) -> Option<String> {
    let (name, smallest) =
        classes.iter().zip(known).filter(|(_, count)| **count > 0).min_by_key(|(_, count)| **count)?;
    let most = (bank / 10).min(*smallest).max(1);
    if k <= most {
        return None;
    }
    let all = (k > bank).then(|| format!("of which there are only {bank}, so that {bank} vote"));
    let tenth = (k > (bank / 10).max(1)).then(|| format!("more than a tenth of the {bank} training images"));
    let class = (k > *smallest).then(|| format!("more than the {smallest} training images of class `{name}`"));
    let reasons: Vec<_> = all.into_iter().chain(tenth).chain(class).collect();
    Some(format!(
        "kNN asks {k} neighbours, {}: votes come from images that are not near, and the score may fall while the encoder gets \
         better. `knn.k={most}` would do",
        reasons.join(" and ")
    ))
}

fn of_missing(task: Task, split: Split, classes: &[String], counts: &[usize]) -> Option<String> {
    let missing: Vec<&str> =
        classes.iter().zip(counts).filter(|(_, n)| **n == 0).map(|(name, _)| name.as_str()).collect();
    if missing.is_empty() || task == Task::None {
        return None;
    }
    let named: Vec<String> = missing.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (class, has) = if missing.len() == 1 { ("class", "has") } else { ("classes", "have") };
    let (consequence, remedy) = match split {
        Split::Train => ("no probe can predict what it has not seen", "learn from more images (`data.limit.train`)"),
        Split::Val => (UNKNOWN, "hold out more images (`data.val_fraction`, `data.limit.val`)"),
        Split::Test => (UNKNOWN, "score more images (`data.limit.test`), or another split"),
    };
    let (named, split) = (named.join(", "), split.name());
    Some(format!("{class} {named}{more} {has} no image in the {split} split: {consequence}; {remedy}"))
}

/// A split that is too small for what is said of its scores.
fn of_few(task: Task, scored: Labels) -> Option<String> {
    let images = scored.labels.size().first().copied().unwrap_or(0) as usize;
    let (number, what) = match scored.groups {
        Some(groups) if groups < images => (groups, format!("{images} images of {groups} groups (patients)")),
        _ => (images, format!("{images} images")),
    };
    if number >= FEW || number == 0 || task == Task::None {
        return None;
    }
    // The normal approximation at an accuracy of one half.
    let points = 98.0 / (number as f64).sqrt();
    let remedy = match scored.split {
        Split::Test => "score more images (`data.limit.test`)",
        _ => "hold out more images (`data.val_fraction`, `data.limit.val`)",
    };
    Some(format!(
        "the {} split has {what}: the 95 % interval of an accuracy is up to ± {points:.0} points wide, so that a difference of scores \
         may be chance; {remedy}",
        scored.split.name()
    ))
}

/// Of a class that is not scored.
const UNKNOWN: &str = "scores do not say how well it is told apart";

/// What has to be said of features of this spread.
pub fn of_features(spread: Spread) -> Option<String> {
    let what = if spread.std < CONSTANT {
        format!("are the same for all images (`{}` below {CONSTANT})", FEATURE_STD.name)
    } else if spread.effective_rank < ONE_DIRECTION {
        format!("fill hardly more than one direction (`{}` below {ONE_DIRECTION})", EFFECTIVE_RANK.name)
    } else {
        return None;
    };
    Some(format!(
        "the features {what}: the encoder has collapsed, or the images are all alike, and its scores are those of chance. \
         Look at images and views with `selfsame preview`; then try a lower `train.base_lr`, a longer \
         `scheduler.warmup_epochs`, a larger `train.batch_size`, or another `train.self_supervision.type`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("c{class}")).collect()
    }

    #[test]
    fn k_is_held_against_the_bank_and_the_smallest_class() {
        let classes = names(2);
        assert_eq!(of_neighbours(20, 200, &classes, &[180, 20]), None);
        let tenth = of_neighbours(100, 342, &classes, &[171, 171]).unwrap();
        assert!(tenth.contains("a tenth of the 342") && !tenth.contains("class"), "{tenth}");
        assert!(tenth.contains("`knn.k=34`"), "{tenth}");
        let class = of_neighbours(20, 1000, &classes, &[990, 10]).unwrap();
        assert!(class.contains("the 10 training images of class `c1`") && class.contains("`knn.k=10`"), "{class}");
        assert!(!class.contains("tenth"), "{class}");
        assert!(of_neighbours(500, 342, &classes, &[171, 171]).unwrap().contains("so that 342 vote"));
        // One neighbour is never too many, and a class that is not there has no size.
        assert_eq!(of_neighbours(1, 4, &classes, &[4, 0]), None);
    }

    #[test]
    fn classes_without_images_are_named_with_their_split() {
        let (train, val) = (Tensor::from_slice(&[0_i64, 1, 2, 3, 4, 5, 6]), Tensor::from_slice(&[0_i64, 0]));
        let [train, val] =
            [(Split::Train, &train), (Split::Val, &val)].map(|(split, labels)| Labels { split, labels, groups: None });
        let found = of_labels(Task::Multiclass, &names(7), None, train, val).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("classes `c1`, `c2`, `c3`, `c4`, `c5` and 1 more have no image in the val split"));
        assert_eq!(of_labels(Task::Multiclass, &names(7), None, train, train).unwrap().len(), 1, "few images");
        let flags = Tensor::from_slice(&[1_i64, 0, 1, 0]).view([2, 2]);
        let flags = Labels { split: Split::Test, labels: &flags, groups: None };
        let found = of_labels(Task::Multilabel, &names(2), None, flags, flags).unwrap();
        assert!(
            found.iter().take(2).all(|text| text.starts_with("class `c1` has no image in the test split")),
            "{found:?}"
        );
    }

    #[test]
    fn a_split_that_is_too_small_for_its_interval_is_named_by_images_or_patients() {
        let labels = Tensor::zeros([100], (Kind::Int64, Device::Cpu));
        let of = |images: i64, groups: Option<usize>| {
            of_few(Task::Multiclass, Labels { split: Split::Val, labels: &labels.narrow(0, 0, images), groups })
        };
        assert_eq!(of(100, None), None);
        assert_eq!(of(30, Some(30)), None);
        // 1.96 · √(0.25 / 25) = 0.196.
        assert!(of(25, None).is_some_and(|said| said.contains("25 images: ") && said.contains("± 20 points")));
        assert!(
            of(100, Some(4))
                .is_some_and(|said| said.contains("of 4 groups (patients)") && said.contains("± 49 points"))
        );
    }

    #[test]
    fn only_constant_features_are_called_so() {
        let of = |std, effective_rank| of_features(Spread { std, effective_rank });
        assert_eq!(of(0.05, 2.0), None);
        assert!(of(0.0, 8.0).is_some_and(|said| said.contains("`features/std`") && said.contains("`train.base_lr`")));
        assert!(of(0.05, 1.1).is_some_and(|said| said.contains("`features/effective_rank`")));
    }
}
