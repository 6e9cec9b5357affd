//! What the images of a folder are: read as a run would read them, at most so many of them.

use super::ask::Asked;
use crate::data::dataset_stats::{self, DatasetStats, Leak, Sizes};
use crate::data::{Damaged, Decoder};
use crate::error::Error;
use crate::plugin::Registry;
use crate::samples::{self, splits};
use selfsame_plugin_api::{Card, Services, Split, Task};
use std::collections::BTreeMap;

/// Most images of a split that are read.
const MOST: usize = 1000;
/// Fewest, however large they are.
const FEWEST: usize = 64;
/// Pixels that are read of a split, where that is fewer images: 1 000 images of 1 000 × 1 000.
const PIXELS: usize = 1_000_000_000;

/// What was seen of a data set.
#[derive(Debug)]
pub struct Look {
    /// Facts about the data set, after its files were looked at.
    pub card: Card,
    /// Each split, with sizes, values and damages of those images that were read.
    pub splits: BTreeMap<String, DatasetStats>,
    /// Images that were read, by split.
    pub read: BTreeMap<String, usize>,
    /// Images that are in several splits.
    pub leaks: Vec<Leak>,
}

impl Look {
    /// Reads images of every split, spread over it.
    ///
    /// # Errors
    /// What the data set says; no image that can be read.
    pub fn at(asked: &Asked, registry: &Registry, services: &dyn Services) -> Result<Self, Error> {
        let (card, dataset) = samples::prepare(&asked.request()?, registry, services)?;
        let (mut stats, mut read) = (BTreeMap::new(), BTreeMap::new());
        for split in &card.splits {
            let samples = dataset.open(*split)?;
            let what = format!("looking at {} images", split.name());
            let indices = spread(samples.len(), number(&card));
            let workers = splits::workers(None);
            let decoder = Decoder { card: &card, samples: samples.as_ref(), side: None, workers, services, what };
            read.insert(split.name().to_owned(), indices.len());
            stats.insert(split.name().to_owned(), dataset_stats::measure_some(&decoder, &indices)?);
        }
        let leaks = dataset_stats::leaks(&stats);
        let look = Self { card, splits: stats, read, leaks };
        if look.sizes().is_none() {
            let reason = look.damaged().next().map(|(_, first)| format!(": {}", first.describe())).unwrap_or_default();
            return Err(Error::data(format!("no image of {} can be read{reason}", asked.root().display())));
        }
        Ok(look)
    }

    /// The split of this name.
    pub fn split(&self, split: Split) -> Option<&DatasetStats> {
        self.splits.get(split.name())
    }

    /// Images of the training split.
    pub fn training(&self) -> usize {
        self.split(Split::Train).map_or(0, |stats| stats.samples)
    }

    /// Whether there are labels.
    pub fn has_labels(&self) -> bool {
        self.card.task != Task::None
    }

    /// Sizes of the training images that were read, or else of others.
    pub fn sizes(&self) -> Option<&Sizes> {
        let train = self.split(Split::Train).and_then(|stats| stats.sizes.as_ref());
        train.or_else(|| self.splits.values().find_map(|stats| stats.sizes.as_ref()))
    }

    /// The images that cannot be read, of those looked at, with their split.
    pub fn damaged(&self) -> impl Iterator<Item = (&str, &Damaged)> {
        self.splits.iter().flat_map(|(split, stats)| stats.damaged.iter().map(move |damaged| (split.as_str(), damaged)))
    }

    /// Images that were looked at.
    pub fn looked_at(&self) -> usize {
        self.read.values().sum()
    }

    /// All images.
    pub fn images(&self) -> usize {
        self.splits.values().map(|stats| stats.samples).sum()
    }

    /// Training images of the most and the least frequent class; none without labels, or where a class has none.
    pub fn balance(&self) -> Option<(usize, usize)> {
        let labels = &self.split(Split::Train)?.labels;
        let counts = || labels.iter().map(|(_, count)| *count);
        Some((counts().max()?, counts().min()?)).filter(|_| self.has_labels())
    }
}

/// How many images of a split are read.
fn number(card: &Card) -> usize {
    let (height, width) = card.nominal_size;
    (PIXELS / (height * width).max(1)).clamp(FEWEST, MOST)
}

/// At most `count` places of `all`, evenly spread, in order.
fn spread(all: usize, count: usize) -> Vec<usize> {
    let count = count.min(all);
    (0..count).map(|place| place * all / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_over_all() {
        assert_eq!(spread(3, 10), [0, 1, 2]);
        assert_eq!(spread(10, 4), [0, 2, 5, 7]);
        assert_eq!(spread(0, 4), [0; 0]);
    }

    #[test]
    fn fewer_large_images_are_read() {
        let of = |side: usize| number(&Card::new("x", "").images(1, 8, (side, side)));
        assert_eq!([of(224), of(2000), of(20_000)], [1000, 250, 64]);
    }
}
