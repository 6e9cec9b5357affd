//! The views of a run: what every image goes through, and the random operations of each view.

use super::draw::{BatchDraws, Purpose, ViewKey};
use super::geometry::{Canvas, Geometry};
use super::recipe::{DrawnView, Recipe};
use super::{AugmentError, Result, clahe, histogram_equalization, normalize};
use crate::config::schema::{AugmentationConfig, ClaheConfig, NormalizeChoice, PreprocessConfig};
use crate::data::{Images, Size};
use crate::native;
use tch::{Kind, Tensor};

const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// Mean and standard deviation of each channel.
pub type Statistics = (Vec<f64>, Vec<f64>);

/// What is done to the grey levels of every image first.
#[derive(Debug, Clone)]
enum Equalization {
    None,
    Whole,
    Tiled(ClaheConfig),
}

/// What is random about the views of a batch, by [`Views::draw`].
pub struct Drawn {
    ids: Vec<i64>,
    sizes: Vec<Size>,
    passes: Vec<Pass>,
}

/// Views that are made together.
struct Pass {
    /// The place of the first one's recipe, which all share.
    recipe: usize,
    /// How many views of each image.
    times: usize,
    view: DrawnView,
}

/// Makes the random views for training and the deterministic one for evaluation.
#[derive(Debug, Clone)]
pub struct Views {
    /// What each view of an image goes through.
    recipes: Vec<Recipe>,
    /// Channels of the images that come in, and of the views.
    channels: (usize, usize),
    equalization: Equalization,
    geometry: Geometry,
    statistics: Option<Statistics>,
}

impl Views {
    /// Views of images with `channels` channels and this nominal size, with the data set's mean and
    /// standard deviation of each channel where its card has them.
    ///
    /// # Errors
    /// A setting that does not go with the images' channels or size; the message names its key.
    pub fn new(
        augmentation: &AugmentationConfig,
        preprocess: &PreprocessConfig,
        channels: usize,
        nominal: Size,
        statistics: Option<(Vec<f64>, Vec<f64>)>,
    ) -> Result<Self> {
        let resized = preprocess.resize.map_or(nominal, Size::square);
        let output = preprocess.center_crop_size.map_or(resized, Size::square);
        if !output.fits(resized) || output.shorter() == 0 {
            return Err(AugmentError::Setting {
                key: "preprocess.center_crop_size".into(),
                message: format!("{output:?} does not fit into images resized to {resized:?}"),
            });
        }
        let geometry = Geometry { resize: preprocess.resize, nominal, output };
        let mut recipes = Vec::new();
        for view in augmentation.resolved_views()? {
            recipes.extend(vec![Recipe::new(&view, channels, geometry)?; view.count]);
        }
        let expanded = if preprocess.expand_channels && channels == 1 { 3 } else { channels };
        Ok(Self {
            recipes,
            statistics: statistics_for(augmentation.normalize, expanded, statistics)?,
            channels: (channels, expanded),
            equalization: equalization(preprocess, channels)?,
            geometry,
        })
    }

    /// Random views of an image.
    pub fn count(&self) -> usize {
        self.recipes.len()
    }

    /// The size of each random view.
    pub fn sizes(&self) -> Vec<Size> {
        self.recipes.iter().map(Recipe::output).collect()
    }

    /// How many of the random views, from the first, are global ones: those of the first one's size.
    pub fn global_count(&self) -> usize {
        self.recipes.chunk_by(|one, next| one.output() == next.output()).next().map_or(0, <[_]>::len)
    }

    /// The size of the deterministic view, and of random ones that state none.
    pub fn output_size(&self) -> Size {
        self.geometry.output
    }

    /// Channels of the images that come out.
    pub fn output_channels(&self) -> usize {
        self.channels.1
    }

    /// All random views of each image, in order and normalised: [`Views::count`] tensors, float32 `[B, C, h, w]` each, of
    /// the [`Views::sizes`]; channels-last where C > 1.
    ///
    /// A view depends on the image, its id, seed, epoch and the view's number alone, not on the batch around it (to the last
    /// bit where its sides are multiples of 4). `ids`: B
    /// sample ids.
    ///
    /// # Errors
    /// Images of another kind or number of channels, sizes that do not fit the canvas, another number of ids, and what
    /// libtorch refuses, memory first.
    pub fn crops(&self, images: &Images, ids: &[i64], seed: u64, epoch: u64) -> Result<Vec<Tensor>> {
        let sizes = self.sizes_of(images, ids)?;
        self.drawn_crops(images, ids, &self.draw(ids, sizes, seed, epoch))
    }

    /// Draws the random numbers of [`Views::crops`] for images with these ids and sizes, which need not be there yet.
    pub fn draw(&self, ids: &[i64], sizes: Vec<Size>, seed: u64, epoch: u64) -> Drawn {
        let key = |view| ViewKey { seed, epoch, purpose: Purpose::View(view as u32) };
        let keys: Vec<_> = (0..self.count()).map(key).collect();
        let (mut passes, mut first) = (Vec::new(), 0);
        for alike in self.recipes.chunk_by(PartialEq::eq) {
            for keys in keys[first..][..alike.len()].chunks(self.together(&alike[0], ids.len())) {
                let sizes = sizes.repeat(keys.len());
                let view = alike[0].draw(&sizes, self.channels.0, &BatchDraws { ids, keys });
                passes.push(Pass { recipe: first, times: keys.len(), view });
            }
            first += alike.len();
        }
        Drawn { ids: ids.to_vec(), sizes, passes }
    }

    /// [`Views::crops`] by numbers that these views have [drawn](Views::draw).
    ///
    /// # Errors
    /// As [`Views::crops`]; other images than those that were drawn for, by their ids and sizes.
    pub fn drawn_crops(&self, images: &Images, ids: &[i64], drawn: &Drawn) -> Result<Vec<Tensor>> {
        let (pixels, sizes) = self.prepared(images)?;
        if (ids, &sizes) != (&drawn.ids, &drawn.sizes) {
            let (others, other_sizes) = (&drawn.ids, &drawn.sizes);
            let drawn = format!("random numbers are of images {others:?} with the sizes {other_sizes:?}");
            return Err(AugmentError::Images(format!("{drawn}, and the batch has {ids:?} with {sizes:?}")));
        }
        let mut views = Vec::with_capacity(self.count());
        for Pass { recipe, times, view } in &drawn.passes {
            let repeated = [*times as i64, 1, 1, 1];
            let pixels = if *times == 1 { pixels.shallow_clone() } else { pixels.f_repeat(repeated)? };
            let canvas = Canvas { pixels: &pixels, sizes: &sizes.repeat(*times) };
            let made = self.finish(self.recipes[*recipe].apply(canvas, view)?)?;
            views.extend(made.f_chunk(*times as i64, 0)?);
        }
        Ok(views)
    }

    /// How many views by this recipe are made at once. Small ones are, since starting an operation then takes longer than
    /// the operation; large ones would only need more memory.
    fn together(&self, recipe: &Recipe, batch: usize) -> usize {
        const VALUES: usize = 1 << 22;
        let values = batch * self.channels.0 * recipe.output().area();
        (VALUES / values.max(1)).max(1)
    }

    /// One random view of each image: the one of [`Views::crops`] that the key's purpose names, or for another purpose one
    /// more by the settings of the first.
    ///
    /// # Errors
    /// As [`Views::crops`]; a view that there is not.
    pub fn crop(&self, images: &Images, ids: &[i64], key: ViewKey) -> Result<Tensor> {
        let number = match key.purpose {
            Purpose::View(number) => number as usize,
            Purpose::Head | Purpose::Probe => 0,
        };
        let missing = || AugmentError::Images(format!("view {number} of {}, counted from 0", self.count()));
        let recipe = self.recipes.get(number).ok_or_else(missing)?;
        let drawn = recipe.draw(&self.sizes_of(images, ids)?, self.channels.0, &BatchDraws { ids, keys: &[key] });
        let (pixels, sizes) = self.prepared(images)?;
        self.finish(recipe.apply(Canvas { pixels: &pixels, sizes: &sizes }, &drawn)?)
    }

    /// The deterministic view: the shorter side resized to `preprocess.resize`, the centre cropped, normalised; float32
    /// `[B, C, h, w]`, channels-last where C > 1.
    ///
    /// # Errors
    /// As [`Views::crops`].
    pub fn eval(&self, images: &Images) -> Result<Tensor> {
        let (pixels, sizes) = self.prepared(images)?;
        self.finish(self.geometry.eval(Canvas { pixels: &pixels, sizes: &sizes })?)
    }

    /// The size of each image, of which there must be as many as ids.
    fn sizes_of(&self, images: &Images, ids: &[i64]) -> Result<Vec<Size>> {
        let sizes = self.check(images)?;
        if ids.len() != sizes.len() {
            return Err(AugmentError::Images(format!("{} ids for {} images", ids.len(), sizes.len())));
        }
        Ok(sizes)
    }

    /// The images' pixels, equalised, and the size of each.
    fn prepared(&self, images: &Images) -> Result<(Tensor, Vec<Size>)> {
        let sizes = self.check(images)?;
        Ok((self.equalized(Canvas { pixels: &images.pixels, sizes: &sizes })?, sizes))
    }

    fn equalized(&self, canvas: Canvas) -> Result<Tensor> {
        match &self.equalization {
            Equalization::None => Ok(canvas.pixels.shallow_clone()),
            Equalization::Whole => histogram_equalization::apply(canvas),
            Equalization::Tiled(config) => clahe::apply(canvas, config),
        }
    }

    /// What [`Views::crops`] and [`Views::eval`] return, back in 0–1.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn denormalized(&self, view: &Tensor) -> Result<Tensor> {
        let Some((mean, std)) = &self.statistics else { return Ok(view.shallow_clone()) };
        let back: Vec<f64> = mean.iter().zip(std).map(|(m, s)| -m / s).collect();
        let inverse: Vec<f64> = std.iter().map(|s| 1.0 / s).collect();
        normalize::apply(view, &back, &inverse)
    }

    fn finish(&self, mut view: Tensor) -> Result<Tensor> {
        if self.channels.0 != self.channels.1 {
            view = view.f_expand([-1, self.channels.1 as i64, -1, -1], false)?;
        }
        let view = match &self.statistics {
            Some((mean, std)) => normalize::apply(&view, mean, std)?,
            None => view,
        };
        if self.channels.1 == 1 { Ok(view) } else { Ok(native::to_channels_last(&view)?) }
    }

    /// The size of each image. Images must be uint8 or int32 with the expected number of channels.
    fn check(&self, images: &Images) -> Result<Vec<Size>> {
        let (pixels, channels) = (&images.pixels, self.channels.0);
        let canvas = match (pixels.size().as_slice(), pixels.kind()) {
            (&[n, c, h, w], Kind::Uint8 | Kind::Int) if c == channels as i64 && h > 0 && w > 0 => {
                (n as usize, Size { height: h as usize, width: w as usize })
            }
            (shape, kind) => {
                return Err(AugmentError::Images(format!(
                    "expected uint8 or int32 images [B, {channels}, H, W], got {kind:?} {shape:?}"
                )));
            }
        };
        let (n, full) = canvas;
        let sizes = images.sizes.clone().unwrap_or_else(|| vec![full; n]);
        if sizes.len() != n || sizes.iter().any(|size| size.shorter() == 0 || !size.fits(full)) {
            return Err(AugmentError::Images(format!("{n} images on a canvas of {full:?} have the sizes {sizes:?}")));
        }
        Ok(sizes)
    }
}

fn equalization(preprocess: &PreprocessConfig, channels: usize) -> Result<Equalization> {
    let (key, choice) = match preprocess {
        p if p.use_histogram_equalization => ("preprocess.use_histogram_equalization", Equalization::Whole),
        p if p.use_clahe => ("preprocess.use_clahe", Equalization::Tiled(p.clahe.clone())),
        _ => return Ok(Equalization::None),
    };
    if channels != 1 {
        let message = format!("needs grey images, and the data set's have {channels} channels; set it to false");
        return Err(AugmentError::Setting { key: key.into(), message });
    }
    Ok(choice)
}

/// Mean and standard deviation of each channel that views of so many channels are normalised by, none where they stay in 0–1;
/// one grey channel's hold for its repetitions. `card`: those of the data set.
///
/// # Errors
/// Statistics of another number of channels.
pub fn statistics_for(
    choice: NormalizeChoice,
    channels: usize,
    card: Option<Statistics>,
) -> Result<Option<Statistics>> {
    let repeated = |values: Vec<f64>| if values.len() == 1 { vec![values[0]; channels] } else { values };
    let statistics = match choice {
        NormalizeChoice::None => None,
        NormalizeChoice::Dataset => card.map(|(mean, std)| (repeated(mean), repeated(std))),
        NormalizeChoice::Imagenet => Some((IMAGENET_MEAN.to_vec(), IMAGENET_STD.to_vec())),
    };
    if let Some((mean, std)) = &statistics {
        let positive = std.iter().all(|&s| s > 0.0 && s.is_finite());
        if mean.len() != channels || std.len() != channels || !positive {
            return Err(AugmentError::Setting {
                key: "augmentation.normalize".into(),
                message: format!(
                    "mean {mean:?} and standard deviation {std:?} do not go with {channels} channels; expected one mean \
                     and one deviation above 0 for each; set it to `none`"
                ),
            });
        }
    }
    Ok(statistics)
}
