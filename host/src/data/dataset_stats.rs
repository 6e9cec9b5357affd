//! What one split consists of, found by reading all of it.

use super::decode::{Damaged, Decoder, lock, name};
use super::depth::Depth;
use super::error::DataError;
use super::flat::Flat;
use super::moments::Moments;
use super::size::Size;
use selfsame_plugin_api::{EQUAL_PIXELS, Image, Samples, Targets, Task};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Facts about the samples of one split.
#[derive(Debug, Serialize)]
pub struct DatasetStats {
    /// Samples, readable or not.
    pub samples: usize,
    /// Samples with each class, by name in label order; empty without labels.
    pub labels: Vec<(String, usize)>,
    /// Groups (patients), where the data set has them.
    pub groups: Option<Groups>,
    /// Sizes of the images; none when none can be read.
    pub sizes: Option<Sizes>,
    /// Bits of a stored value.
    pub bit_depth: Depth,
    /// Smallest and largest value of any pixel; none when no image can be read.
    pub range: Option<(u16, u16)>,
    /// Mean of each channel over all pixels of all images, scaled to 0–1.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, likewise.
    pub std: Vec<f64>,
    /// What the plugin tells about samples: how many have each value, by fact and value.
    pub facts: BTreeMap<String, BTreeMap<String, usize>>,
    /// Names of samples with the same pixels, a list for each image that is there more than once.
    pub duplicates: Vec<Vec<String>>,
    /// Of those lists, the ones whose samples belong to different groups: a cut may put them on both sides.
    pub duplicates_across_groups: usize,
    /// Samples that cannot be read.
    pub damaged: Vec<Damaged>,
    /// Images that have one value in each channel.
    #[serde(skip)]
    pub flat: Vec<Flat>,
    /// Samples by the digest of their pixels.
    #[serde(skip)]
    digests: BTreeMap<[u8; 32], Vec<usize>>,
    #[serde(skip)]
    names: Option<Vec<String>>,
}

/// Groups of samples.
#[derive(Debug, Serialize)]
pub struct Groups {
    /// How many there are.
    pub count: usize,
    /// Samples of the largest one.
    pub largest: usize,
}

/// Sizes of images, in pixels.
#[derive(Debug, Serialize)]
pub struct Sizes {
    /// Smallest, median and largest height.
    pub height: (usize, usize, usize),
    /// Smallest, median and largest width.
    pub width: (usize, usize, usize),
    /// The size that most images have.
    pub most_common: Size,
    /// Images of that size.
    pub most_common_count: usize,
    /// Different sizes.
    pub different: usize,
}

/// The same pixels in several splits: names of the samples by split.
pub type Leak = BTreeMap<String, Vec<String>>;

/// Reads all samples of a split, at their own sizes.
///
/// # Errors
/// As [`measure_some`].
pub fn measure(decoder: &Decoder) -> Result<DatasetStats, DataError> {
    measure_some(decoder, &(0..decoder.samples.len()).collect::<Vec<_>>())
}

/// Reads the samples at `indices` of a split, at their own sizes; labels and groups are those of all samples.
///
/// # Errors
/// A plugin that fails for another reason than its samples, and the user's wish to stop.
pub fn measure_some(decoder: &Decoder, indices: &[usize]) -> Result<DatasetStats, DataError> {
    let (card, samples) = (decoder.card, decoder.samples);
    let (names, groups) = (samples.ids(), samples.groups());
    let depth = Depth::of(card);
    let found = Mutex::new(Found::new(card.channels, depth));
    decoder.run(indices, |chunk| {
        let mut part = Found::new(card.channels, depth);
        for (index, image) in chunk {
            let flat = image.as_ref().ok().filter(|image| image.is_flat()).map(|_| Flat::new(index, samples));
            part.take(index, image, || facts(index, flat.as_ref(), samples), names.as_deref());
            part.flat.extend(flat);
        }
        lock(&found).merge(part);
        Ok(())
    })?;
    let mut found = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    found.damaged.sort_by_key(|sample| sample.index);
    found.flat.sort_by_key(|sample| sample.index);
    found.digests.values_mut().for_each(|same| same.sort_unstable());
    let duplicates: Vec<&Vec<usize>> = found.digests.values().filter(|same| same.len() > 1).collect();
    let across = |same: &&&Vec<usize>| match &groups {
        Some(groups) => same.iter().map(|&index| &groups[index]).collect::<BTreeSet<_>>().len() > 1,
        None => false,
    };
    Ok(DatasetStats {
        samples: samples.len(),
        labels: balance(&card.classes, card.task, &samples.targets()),
        duplicates_across_groups: duplicates.iter().filter(across).count(),
        groups: groups.as_deref().map(count_groups),
        sizes: sizes(&found.sizes),
        bit_depth: depth,
        range: found.moments.range(),
        mean: found.moments.mean(),
        std: found.moments.std(),
        facts: std::mem::take(&mut found.facts),
        duplicates: duplicates
            .into_iter()
            .map(|same| same.iter().map(|&index| name(names.as_deref(), index)).collect())
            .collect(),
        damaged: std::mem::take(&mut found.damaged),
        flat: std::mem::take(&mut found.flat),
        digests: std::mem::take(&mut found.digests),
        names,
    })
}

/// Images whose pixels are in splits of more than one of these data sets, each with its name; under `NAME SPLIT`.
pub fn shared<'a>(data_sets: impl IntoIterator<Item = (&'a str, &'a BTreeMap<String, DatasetStats>)>) -> Vec<Leak> {
    let (mut places, mut owners): (BTreeMap<&[u8; 32], Leak>, BTreeMap<String, &str>) = Default::default();
    for (data_set, splits) in data_sets {
        for (split, stats) in splits {
            let place = format!("{data_set} {split}");
            for (digest, same) in &stats.digests {
                let names = same.iter().map(|&index| name(stats.names.as_deref(), index)).collect();
                places.entry(digest).or_default().insert(place.clone(), names);
            }
            owners.insert(place, data_set);
        }
    }
    let is_shared = |leak: &Leak| leak.keys().filter_map(|place| owners.get(place)).collect::<BTreeSet<_>>().len() > 1;
    places.into_values().filter(is_shared).collect()
}

/// Images whose pixels are in more than one of these splits.
pub fn leaks(splits: &BTreeMap<String, DatasetStats>) -> Vec<Leak> {
    let mut places: BTreeMap<&[u8; 32], Leak> = BTreeMap::new();
    for (split, stats) in splits {
        for (digest, same) in &stats.digests {
            let names = same.iter().map(|&index| name(stats.names.as_deref(), index)).collect();
            places.entry(digest).or_default().insert(split.clone(), names);
        }
    }
    places.into_values().filter(|leak| leak.len() > 1).collect()
}

/// Counts over some samples; no order of adding matters.
struct Found {
    moments: Moments,
    sizes: BTreeMap<Size, usize>,
    facts: BTreeMap<String, BTreeMap<String, usize>>,
    digests: BTreeMap<[u8; 32], Vec<usize>>,
    damaged: Vec<Damaged>,
    flat: Vec<Flat>,
}

impl Found {
    fn new(channels: usize, depth: Depth) -> Self {
        Self {
            moments: Moments::new(channels, depth),
            sizes: BTreeMap::new(),
            facts: BTreeMap::new(),
            digests: BTreeMap::new(),
            damaged: Vec::new(),
            flat: Vec::new(),
        }
    }

    fn take(
        &mut self,
        index: usize,
        image: Result<Image, Damaged>,
        facts: impl FnOnce() -> Result<BTreeMap<String, String>, String>,
        names: Option<&[String]>,
    ) {
        let image = match image {
            Ok(image) => image,
            Err(sample) => return self.damaged.push(sample),
        };
        match facts() {
            Ok(facts) => {
                for (fact, value) in facts {
                    *self.facts.entry(fact).or_default().entry(value).or_default() += 1;
                }
            }
            Err(reason) => self.damaged.push(Damaged { index, id: name(names, index), reason }),
        }
        let size = Size::from(&image);
        *self.sizes.entry(size).or_default() += 1;
        let shape = [size.height, size.width].map(|side| (side as u64).to_le_bytes()).concat();
        let digest = Sha256::new().chain_update(shape).chain_update(&image.data).finalize();
        self.digests.entry(digest.into()).or_default().push(index);
        self.moments.add(&image);
    }

    fn merge(&mut self, other: Found) {
        for (size, count) in other.sizes {
            *self.sizes.entry(size).or_default() += count;
        }
        self.moments.merge(other.moments);
        for (fact, values) in other.facts {
            let counts = self.facts.entry(fact).or_default();
            values.into_iter().for_each(|(value, count)| *counts.entry(value).or_default() += count);
        }
        for (digest, same) in other.digests {
            self.digests.entry(digest).or_default().extend(same);
        }
        self.damaged.extend(other.damaged);
        self.flat.extend(other.flat);
    }
}

/// What the plugin tells about a sample, and why its image is flat.
fn facts(index: usize, flat: Option<&Flat>, samples: &dyn Samples) -> Result<BTreeMap<String, String>, String> {
    let mut facts = samples.facts(index).map_err(|error| error.message)?;
    facts.extend(flat.map(|flat| (EQUAL_PIXELS.to_owned(), flat.cause.clone())));
    Ok(facts)
}

fn balance(classes: &[String], task: Task, targets: &Targets) -> Vec<(String, usize)> {
    let count = |class: usize| match targets {
        Targets::None => 0,
        Targets::Classes(labels) => labels.iter().filter(|label| **label == class as i64).count(),
        Targets::Multilabel(flags) => flags.chunks_exact(classes.len()).filter(|row| row[class] != 0).count(),
    };
    if task == Task::None || *targets == Targets::None {
        return Vec::new();
    }
    classes.iter().enumerate().map(|(class, name)| (name.clone(), count(class))).collect()
}

fn count_groups(groups: &[String]) -> Groups {
    let mut sizes: BTreeMap<&String, usize> = BTreeMap::new();
    groups.iter().for_each(|group| *sizes.entry(group).or_default() += 1);
    Groups { count: sizes.len(), largest: sizes.into_values().max().unwrap_or(0) }
}

fn sizes(counts: &BTreeMap<Size, usize>) -> Option<Sizes> {
    // Of equally common sizes, the first one.
    let (&most_common, &most_common_count) =
        counts.iter().max_by_key(|(size, count)| (**count, std::cmp::Reverse(*size)))?;
    let side = |of: fn(&Size) -> usize| {
        let mut all: Vec<(usize, usize)> = counts.iter().map(|(size, count)| (of(size), *count)).collect();
        all.sort_unstable();
        let middle = all.iter().map(|(_, count)| count).sum::<usize>().div_ceil(2);
        let mut passed = 0;
        let median = all.iter().find(|(_, count)| {
            passed += count;
            passed >= middle
        });
        (all[0].0, median.map_or(0, |(side, _)| *side), all[all.len() - 1].0)
    };
    let (height, width) = (side(|size| size.height), side(|size| size.width));
    Some(Sizes { height, width, most_common, most_common_count, different: counts.len() })
}
