//! The data set `{{name}}`: upright and level stripes, computed. Put your own images in their place.

use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, Image, Normalization, OptionSpec, PluginError, Result, Samples,
    Services, Split, Targets, Task, export_plugin, parse_options,
};
use serde::Deserialize;

export_plugin! {
    datasets: { "{{name}}" => (card, create) },
}

/// Height and width of an image in pixels.
const SIZE: usize = 32;

/// `dataset.options`: what users may write, with defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct Options {
    train_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { train_size: 1000 }
    }
}

fn option_specs() -> Vec<OptionSpec> {
    vec![OptionSpec::new(
        "train_size",
        "number of training images, at least 2; default 1000",
    )]
}

/// Facts that are known without reading a file.
fn card(name: &str) -> Card {
    Card {
        name: name.into(),
        summary: "Upright and level stripes, computed".into(),
        classes: vec!["level".into(), "upright".into()],
        task: Task::Binary,
        channels: 1,
        bit_depth: 8,
        nominal_size: (SIZE, SIZE),
        // Of the training split's pixels, scaled to 0–1.
        normalization: Some(Normalization {
            mean: vec![0.5],
            std: vec![0.25],
        }),
        // Without a validation split of its own, the host cuts one from the training split.
        splits: vec![Split::Train, Split::Test],
        licence: "none needed: the images are computed".into(),
        citation: "none".into(),
        options: option_specs(),
        // Values of a run file that suit these images; whatever the user writes wins. Two views of an image must differ,
        // or there is nothing to learn; stripes are told apart by their direction, so that nothing here turns them.
        recommended: serde_json::json!({ "augmentation": {
            "use_random_crop": true,
            "random_crop": { "scale": [0.2, 1.0] },
            "use_random_horizontal_flip": true,
            "use_random_color": true,
            "random_color": { "brightness": 0.4, "contrast": 0.4 },
        } }),
    }
}

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    let options: Options = parse_options(&request.options, &option_specs())?;
    if options.train_size < 2 {
        return Err(PluginError::configuration(format!(
            "option `train_size` = `{}`: expected at least 2",
            options.train_size
        )));
    }
    Ok(Box::new(Stripes { options }))
}

struct Stripes {
    options: Options,
}

impl Dataset for Stripes {
    /// Files are found, downloaded and verified here: the user's folder is `DatasetRequest::dataset_dir`.
    fn prepare(&self, _services: &dyn Services) -> Result<()> {
        Ok(())
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let (first, count) = match split {
            Split::Train => (0, self.options.train_size),
            Split::Test => (1_000_000, 200),
            Split::Val => return Err(PluginError::data("there is no validation split")),
        };
        Ok(Box::new(Part { first, count }))
    }
}

/// One split: the images from number `first` on.
struct Part {
    first: usize,
    count: usize,
}

impl Part {
    fn is_upright(&self, index: usize) -> bool {
        index % 2 == 1
    }

    /// Row-major `[SIZE, SIZE]`; the same bytes whenever it is asked for.
    fn pixels(&self, index: usize) -> Vec<u8> {
        let mut random = self.first + index;
        let mut next = |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let (width, shift) = (3 + next(4), next(16));
        let mut pixels = Vec::with_capacity(SIZE * SIZE);
        for y in 0..SIZE {
            for x in 0..SIZE {
                let along = if self.is_upright(index) { x } else { y };
                let stripe = if (along + shift) / width % 2 == 0 {
                    64
                } else {
                    160
                };
                pixels.push((stripe + next(32)) as u8);
            }
        }
        pixels
    }
}

impl Samples for Part {
    fn len(&self) -> usize {
        self.count
    }

    fn targets(&self) -> Targets {
        Targets::Classes(
            (0..self.count)
                .map(|index| i64::from(self.is_upright(index)))
                .collect(),
        )
    }

    /// May be called from several threads at once.
    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let image = |&index: &usize| Image {
            channels: 1,
            height: SIZE,
            width: SIZE,
            bit_depth: 8,
            data: self.pixels(index),
        };
        Ok(indices.iter().map(image).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_same_twice_and_another_one_is_not() {
        let part = Part {
            first: 0,
            count: 10,
        };
        let [first, again, other] = [0, 0, 2].map(|index| part.read(&[index]).unwrap());
        assert_eq!(first, again);
        assert_ne!(first, other);
    }
}
