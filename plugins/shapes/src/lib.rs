//! A ten-class image data set rendered procedurally, without a download.
//!
//! The class is the shape alone. Place, size, rotation, colours, textures, clutter and noise are drawn independently
//! of it, and all shapes have the same distribution of areas. A sample is a pure function of the seed, its split, its
//! index and the image size.

mod draw;
mod outline;
mod random;

use outline::{CLASSES, Outline};
use random::Random;
use schemars::JsonSchema;
use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, Image, PluginError, Result, Samples, Services, Split, Targets,
};
use serde::Deserialize;
use serde_json::json;

selfsame_plugin_api::export_plugin! {
    datasets: { "shapes" => (card, create) },
}

const NOMINAL_SIZE: usize = 32;
const VAL_SIZE: usize = 1000;
const TEST_SIZE: usize = 1000;

/// `dataset.options`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Which samples are drawn.
    seed: u64,
    /// Number of training samples.
    #[schemars(range(min = 10, max = 100_000))]
    train_size: usize,
    /// Height and width of an image in pixels.
    #[schemars(range(min = 16, max = 256))]
    size: usize,
    /// Whether the classes are told.
    labels: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 0, train_size: 6000, size: NOMINAL_SIZE, labels: true }
    }
}

fn card(name: &str) -> Card {
    Card::new(name, "Ten shapes in random colours, textures and places, rendered without a download")
        .images(3, 8, (NOMINAL_SIZE, NOMINAL_SIZE))
        .classes(CLASSES)
        .splits([Split::Train, Split::Val, Split::Test])
        .normalization([0.50316, 0.49984, 0.50272], [0.30869, 0.30674, 0.30691])
        .licence("none needed: the images are computed")
        .options::<Options>()
        .recommended(json!({
            "augmentation": {
                "use_random_crop": true,
                "random_crop": { "scale": [0.4, 1.0] },
                "use_random_horizontal_flip": true,
                "random_horizontal_flip": { "prob": 0.5 },
                "use_random_color": true,
                "random_color": { "brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.5, "prob": 0.8 },
                "use_random_grayscale": true,
                "random_grayscale": { "prob": 0.3 }
            }
        }))
}

/// Makes the data set.
///
/// # Errors
/// Unknown options and values out of range, by name.
fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(Shapes(request.options()?)))
}

struct Shapes(Options);

impl Dataset for Shapes {
    fn prepare(&self, _services: &dyn Services) -> Result<()> {
        Ok(())
    }

    fn card(&self) -> Result<Option<Card>> {
        let sized = card("shapes").images(3, 8, (self.0.size, self.0.size));
        Ok(Some(if self.0.labels { sized } else { sized.classes([""; 0]) }))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        Ok(Box::new(Rendered::new(&self.0, split)))
    }
}

/// One split. Images of the nominal size are drawn once and kept; larger ones are drawn when they are read.
struct Rendered {
    seed: u64,
    split: Split,
    size: usize,
    labels: Vec<usize>,
    labels_are_told: bool,
    outlines: Vec<Outline>,
    block: Option<Vec<u8>>,
}

impl Rendered {
    fn new(options: &Options, split: Split) -> Self {
        let count = match split {
            Split::Train => options.train_size,
            Split::Val => VAL_SIZE,
            Split::Test => TEST_SIZE,
        };
        let mut rendered = Self {
            seed: options.seed,
            split,
            size: options.size,
            labels: shuffled_labels(options.seed, split, count),
            labels_are_told: options.labels,
            outlines: Outline::all(),
            block: None,
        };
        if options.size == NOMINAL_SIZE {
            rendered.block = Some((0..count).flat_map(|index| rendered.draw(index)).collect());
        }
        rendered
    }

    fn draw(&self, index: usize) -> Vec<u8> {
        let mut random = Random::new(self.seed, purpose(self.split), index as u64);
        draw::draw(&self.outlines[self.labels[index]], self.size, &mut random)
    }
}

/// The random stream of a split's images; the one after it orders its labels.
fn purpose(split: Split) -> u64 {
    match split {
        Split::Train => 0,
        Split::Val => 2,
        Split::Test => 4,
    }
}

/// Equally many of each class (to within one), in random order (Fisher–Yates).
fn shuffled_labels(seed: u64, split: Split, count: usize) -> Vec<usize> {
    let mut random = Random::new(seed, purpose(split) + 1, 0);
    let mut labels: Vec<usize> = (0..count).map(|index| index % CLASSES.len()).collect();
    for last in (1..count).rev() {
        labels.swap(last, random.below(last + 1));
    }
    labels
}

impl Samples for Rendered {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn targets(&self) -> Targets {
        match self.labels_are_told {
            true => Targets::Classes(self.labels.iter().map(|&label| label as i64).collect()),
            false => Targets::None,
        }
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let bytes = 3 * self.size * self.size;
        indices
            .iter()
            .map(|&index| {
                if index >= self.len() {
                    let (split, len) = (self.split.name(), self.len());
                    return Err(PluginError::data(format!("sample {index} of `{split}`: there are {len} samples")));
                }
                let data = match &self.block {
                    Some(block) => block[index * bytes..(index + 1) * bytes].to_vec(),
                    None => self.draw(index),
                };
                Ok(Image { channels: 3, height: self.size, width: self.size, bit_depth: 8, data })
            })
            .collect()
    }

    fn block(&self) -> Option<&[u8]> {
        self.block.as_deref()
    }
}

#[cfg(test)]
mod tests;
