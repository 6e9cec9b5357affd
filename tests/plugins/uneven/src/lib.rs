//! Stripes of unequal sizes: upright ones in class `upright`, level ones in class `level`.

use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, Image, PluginError, Result, Samples, Services, Split, Targets, export_plugin,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

export_plugin! {
    datasets: { "uneven" => (card, create) },
}

#[derive(serde::Deserialize, schemars::JsonSchema, Clone)]
#[serde(default)]
struct Options {
    /// Training samples.
    count: usize,
    /// Indices of training samples that cannot be read.
    bad: Vec<usize>,
    /// Whether the first test image is the first training image.
    leak: bool,
    /// Whether `level` and `upright` are labels of their own.
    multilabel: bool,
    /// What the fingerprint says.
    version: u32,
    /// What reading one image takes, in milliseconds.
    delay_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { count: 48, bad: Vec::new(), leak: false, multilabel: false, version: 1, delay_ms: 0 }
    }
}

fn card(name: &str) -> Card {
    Card::new(name, "Stripes of unequal sizes.")
        .images(1, 8, (40, 40))
        .classes(["level", "upright"])
        .splits([Split::Train, Split::Test])
        .licence("MIT")
        .options::<Options>()
        .recommended(serde_json::json!({ "augmentation": { "use_random_crop": true } }))
}

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(Stripes { options: request.options()?, folder: request.dataset_dir.clone() }))
}

struct Stripes {
    options: Options,
    folder: Option<PathBuf>,
}

impl Dataset for Stripes {
    fn prepare(&self, _: &dyn Services) -> Result<()> {
        Ok(())
    }

    fn card(&self) -> Result<Option<Card>> {
        Ok(self.options.multilabel.then(|| card("uneven").labels(["level", "upright"])))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        Ok(Box::new(Part { split, options: self.options.clone(), folder: self.folder.clone() }))
    }
}

struct Part {
    split: Split,
    options: Options,
    folder: Option<PathBuf>,
}

impl Part {
    fn image(&self, index: usize) -> Image {
        let seed = if self.split == Split::Test && !(self.options.leak && index == 0) { 1000 + index } else { index };
        let (height, width) = (24 + 7 * (seed % 5), 24 + 5 * (seed % 7));
        let stripe = |y: usize, x: usize| (if index.is_multiple_of(2) { y } else { x } + seed) / 4 % 2 * 160;
        let data =
            (0..height * width).map(|at| (stripe(at / width, at % width) + at * (seed + 3) % 64) as u8).collect();
        Image { channels: 1, height, width, bit_depth: 8, data }
    }
}

impl Samples for Part {
    fn len(&self) -> usize {
        if self.split == Split::Train { self.options.count } else { 16 }
    }

    fn targets(&self) -> Targets {
        if self.options.multilabel {
            return Targets::Multilabel((0..self.len()).flat_map(|index| [[1, 0], [0, 1]][index % 2]).collect());
        }
        Targets::Classes((0..self.len() as i64).map(|index| index % 2).collect())
    }

    fn groups(&self) -> Option<Vec<String>> {
        Some((0..self.len()).map(|index| format!("{}-{}", self.split.name(), index / 4)).collect())
    }

    fn ids(&self) -> Option<Vec<String>> {
        Some((0..self.len()).map(|index| format!("{}/{index:03}.img", self.split.name())).collect())
    }

    /// Each call leaves a line in `reads.log` of the data set's folder, where there is one.
    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        std::thread::sleep(Duration::from_millis(self.options.delay_ms) * indices.len() as u32);
        if let Some(folder) = &self.folder {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("reads.log"));
            let written = log.and_then(|mut log| writeln!(log, "{} {indices:?}", self.split.name()));
            written.map_err(|error| PluginError::data(format!("reads.log: {error}")))?;
        }
        let bad = indices.iter().find(|index| self.split == Split::Train && self.options.bad.contains(index));
        match bad {
            Some(7) => panic!("a decoder's own mistake"),
            Some(index) => Err(PluginError::data(format!("train/{index:03}.img: cut off after 12 bytes"))),
            None => Ok(indices.iter().map(|&index| self.image(index)).collect()),
        }
    }

    fn fingerprint(&self) -> Option<String> {
        Some(format!("{} {}", self.options.count, self.options.version))
    }

    fn facts(&self, index: usize) -> Result<BTreeMap<String, String>> {
        let codec = if index.is_multiple_of(3) { "plain" } else { "packed" };
        Ok(BTreeMap::from([("codec".to_owned(), codec.to_owned())]))
    }
}
