//! What `selfsame data stats` counts, against numbers worked out here.

use super::fake::{Fake, Patience, card};
use selfsame::data::Decoder;
use selfsame::data::dataset_stats::{DatasetStats, leaks, measure};
use selfsame_plugin_api::{Image, Result, Samples, Targets};
use std::collections::{BTreeMap, BTreeSet};

/// A fake whose samples belong to groups of ten, and whose image `copy.0` is that of `copy.1`.
struct Grouped {
    fake: Fake,
    copy: (usize, usize),
}

impl Samples for Grouped {
    fn len(&self) -> usize {
        self.fake.len()
    }
    fn targets(&self) -> Targets {
        self.fake.targets()
    }
    fn ids(&self) -> Option<Vec<String>> {
        self.fake.ids()
    }
    fn groups(&self) -> Option<Vec<String>> {
        Some((0..self.len()).map(|index| (index / 10).to_string()).collect())
    }
    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let original = |&index: &usize| if index == self.copy.0 { self.copy.1 } else { index };
        self.fake.read(&indices.iter().map(original).collect::<Vec<_>>())
    }
    fn facts(&self, index: usize) -> Result<BTreeMap<String, String>> {
        Ok(BTreeMap::from([("scanner".to_owned(), format!("model {}", index % 4))]))
    }
}

fn surveyed(samples: &Grouped, workers: usize) -> DatasetStats {
    let card = card(&samples.fake);
    let services = Patience::default();
    measure(&Decoder { card: &card, samples, side: None, workers, services: &services, what: "read".into() }).unwrap()
}

#[test]
fn sizes_moments_labels_groups_facts_and_duplicates_are_those_of_the_images() {
    for bit_depth in [8, 16] {
        let mut samples = Grouped { fake: Fake { bit_depth, ..Fake::new(60) }, copy: (35, 5) };
        samples.fake.bad = BTreeSet::from([11]);
        let read: Vec<Image> =
            (0..60).filter(|index| *index != 11).map(|index| samples.read(&[index]).unwrap().remove(0)).collect();
        let stats = surveyed(&samples, 3);

        assert_eq!((stats.samples, stats.damaged.len()), (60, 1));
        assert_eq!(stats.damaged[0].id, "file-11");
        assert_eq!(stats.labels, [("even".to_owned(), 30), ("odd".to_owned(), 30)]);
        let groups = stats.groups.as_ref().unwrap();
        assert_eq!((groups.count, groups.largest), (6, 10));
        assert_eq!(stats.facts["scanner"]["model 0"], 15);
        assert_eq!(stats.facts["scanner"]["model 3"], 14, "sample 11 cannot be read");
        assert_eq!(stats.duplicates, [["file-5".to_owned(), "file-35".to_owned()]]);
        assert_eq!(stats.duplicates_across_groups, 1);

        let mut heights: Vec<usize> = read.iter().map(|image| image.height).collect();
        heights.sort_unstable();
        let sizes = stats.sizes.as_ref().unwrap();
        assert_eq!(sizes.height, (heights[0], heights[29], heights[58]));
        assert_eq!(sizes.width, (3, 4, 6));
        assert_eq!(sizes.different, 12);

        let bytes = usize::from(bit_depth / 8);
        let mut all = Vec::new();
        for channel in 0..2 {
            let values: Vec<f64> = read
                .iter()
                .flat_map(|image| {
                    let plane = image.height * image.width * bytes;
                    let value = |chunk: &[u8]| chunk.iter().rev().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte));
                    image.data[channel * plane..][..plane].chunks(bytes).map(value).collect::<Vec<_>>()
                })
                .collect();
            let scale = if bit_depth == 16 { 65535.0 } else { 255.0 };
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
            assert!((stats.mean[channel] - mean / scale).abs() < 1e-9);
            assert!((stats.std[channel] - variance.sqrt() / scale).abs() < 1e-9);
            all.extend(values);
        }
        let (low, high) = stats.range.unwrap();
        assert_eq!(f64::from(low), all.iter().copied().fold(f64::MAX, f64::min));
        assert_eq!(f64::from(high), all.iter().copied().fold(0.0, f64::max));
    }
}

#[test]
fn the_same_pixels_in_two_splits_are_a_leak() {
    let part = |copy| surveyed(&Grouped { fake: Fake::new(20), copy }, 2);
    let other = surveyed(&Grouped { fake: Fake { unequal: false, ..Fake::new(3) }, copy: (0, 0) }, 1);
    let splits = BTreeMap::from([("train".to_owned(), part((7, 7))), ("test".to_owned(), other)]);
    // The value of a pixel does not depend on the size, so the only same image is that of the same size: 3×2 is in neither.
    assert!(leaks(&splits).is_empty());
    let splits = BTreeMap::from([("train".to_owned(), part((7, 7))), ("test".to_owned(), part((3, 4)))]);
    let leaks = leaks(&splits);
    assert_eq!(leaks.len(), 19);
    assert!(leaks.iter().any(|leak| leak["train"] == ["file-4"] && leak["test"] == ["file-3", "file-4"]));
}
