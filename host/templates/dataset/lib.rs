//! The data set `{{name}}`: upright and level stripes in uneven light, computed. Put your own images in their place.

use schemars::JsonSchema;
use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, InMemory, PluginError, Result, Samples, Services, Split,
    export_plugin,
};
use serde::Deserialize;

export_plugin! {
    datasets: { "{{name}}" => (card, create) },
}

/// Height and width of an image in pixels.
const SIZE: usize = 32;

/// `dataset.options`: what users may write. Their help, ranges and defaults come from here.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// Number of training images.
    #[schemars(range(min = 2))]
    train_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { train_size: 1000 }
    }
}

/// Facts that are known without reading a file.
fn card(name: &str) -> Card {
    Card::new(name, "Upright and level stripes in uneven light, computed")
        .images(1, 8, (SIZE, SIZE))
        .classes(["level", "upright"])
        // Without a validation split of its own, the host cuts one from the training split.
        .splits([Split::Train, Split::Test])
        // Mean and deviation of the training split's pixels, scaled to 0–1; `selfsame data stats` measures them.
        .normalization([0.51], [0.14])
        .licence("none needed: the images are computed")
        .options::<Options>()
        // Values of a run file that suit these images; whatever the user writes wins. Two views of an image must differ,
        // or there is nothing to learn; stripes are told apart by their direction, so that nothing here turns them.
        .recommended(serde_json::json!({ "augmentation": {
            "use_random_crop": true,
            "random_crop": { "scale": [0.2, 1.0] },
            "use_random_horizontal_flip": true,
            "use_random_color": true,
            "random_color": { "brightness": 0.4, "contrast": 0.4 },
        } }))
}

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(Stripes {
        options: request.options()?,
    }))
}

struct Stripes {
    options: Options,
}

impl Dataset for Stripes {
    /// Files are found, downloaded and verified here, in `DatasetRequest::folder`: see `files` and `download` of
    /// `selfsame_plugin_api`.
    fn prepare(&self, _services: &dyn Services) -> Result<()> {
        Ok(())
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let (first, count) = match split {
            Split::Train => (0, self.options.train_size),
            Split::Test => (1_000_000, 200),
            Split::Val => return Err(PluginError::data("there is no validation split")),
        };
        let pixels = (first..first + count).flat_map(stripes).collect();
        let labels = (first..first + count).map(|number| number as i64 % 2);
        let samples = InMemory::new(pixels, 8, [1, SIZE, SIZE])?.with_classes(labels.collect());
        Ok(Box::new(samples))
    }
}

/// Row-major `[SIZE, SIZE]`; the same bytes whenever it is asked for. Odd numbers have upright stripes.
fn stripes(number: usize) -> Vec<u8> {
    let mut random = number;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let (width, shift, strength) = (2 + next(4), next(16), 16 + next(48));
    let (shade, slope_x, slope_y) = (32 + next(64), next(4), next(4));
    let mut pixels = Vec::with_capacity(SIZE * SIZE);
    for y in 0..SIZE {
        for x in 0..SIZE {
            let along = if number % 2 == 1 { x } else { y };
            let stripe = (along + shift) / width % 2 * strength;
            let light = shade + (slope_x * x + slope_y * y) / 2;
            pixels.push((light + stripe + next(48)).min(255) as u8);
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_same_twice_and_another_one_is_not() {
        assert_eq!(stripes(0), stripes(0));
        assert_ne!(stripes(0), stripes(2));
    }
}
