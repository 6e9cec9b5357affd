//! The views of a run: every operation that the configuration turns on, in its order.

use super::draw::{Draws, Sample, ViewKey};
use super::resized_crop::{CropBox, Params, Target};
use super::{AugmentError, Result, color_jitter, gaussian_blur, grayscale, normalize, resized_crop, solarize};
use crate::config::schema::{AugmentationConfig, Interpolation, NormalizeChoice, PreprocessConfig};
use crate::data::Images;
use crate::native;
use tch::{Kind, Tensor};

const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// Makes the random views for training and the deterministic one for evaluation.
#[derive(Debug, Clone)]
pub struct Views {
    config: AugmentationConfig,
    channels: usize,
    /// Side that `preprocess.resize` asks for; without it, images are resized to `nominal`.
    resize: Option<usize>,
    nominal: (usize, usize),
    output: (usize, usize),
    blur_kernel: usize,
    statistics: Option<(Vec<f64>, Vec<f64>)>,
}

impl Views {
    /// Views of images with `channels` channels and the nominal size (height, width), with the data set's mean and
    /// standard deviation of each channel where its card has them.
    ///
    /// # Errors
    /// A setting that does not go with the images' channels or size; the message names its key.
    pub fn new(
        augmentation: &AugmentationConfig,
        preprocess: &PreprocessConfig,
        channels: usize,
        nominal: (usize, usize),
        statistics: Option<(Vec<f64>, Vec<f64>)>,
    ) -> Result<Self> {
        let resized = preprocess.resize.map_or(nominal, |side| (side, side));
        let output = preprocess.center_crop_size.map_or(resized, |side| (side, side));
        if output.0 > resized.0 || output.1 > resized.1 || output.0.min(output.1) == 0 {
            return Err(AugmentError::Setting {
                key: "preprocess.center_crop_size",
                message: format!("{output:?} does not fit into images resized to {resized:?}"),
            });
        }
        let colour_key = match augmentation {
            a if a.use_random_color => Some("augmentation.use_random_color"),
            a if a.use_random_grayscale => Some("augmentation.use_random_grayscale"),
            _ => None,
        };
        if let Some(key) = colour_key.filter(|_| !matches!(channels, 1 | 3)) {
            return Err(AugmentError::Setting {
                key,
                message: format!("needs images with 1 or 3 channels, the data set has {channels}; set it to false"),
            });
        }
        Ok(Self {
            blur_kernel: blur_kernel(augmentation, output)?,
            statistics: statistics_for(augmentation.normalize, channels, statistics)?,
            config: augmentation.clone(),
            channels,
            resize: preprocess.resize,
            nominal,
            output,
        })
    }

    /// Height and width of the images that come out.
    pub fn output_size(&self) -> (usize, usize) {
        self.output
    }

    /// One random view of each image, normalised: uint8 `[B, C, H, W]` → float32 `[B, C, h, w]`, channels-last where
    /// C > 1.
    ///
    /// A view depends on the image, its id and `key` alone, not on the batch around it. `ids`: B sample ids.
    ///
    /// # Errors
    /// Images of another kind or number of channels, another number of ids, and what libtorch refuses, memory first.
    pub fn train(&self, images: &Images, ids: &[i64], key: ViewKey) -> Result<Tensor> {
        let images = &images.pixels;
        let size = self.check(images)?;
        if images.size()[0] != ids.len() as i64 {
            return Err(AugmentError::Images(format!("{} ids for {} images", ids.len(), images.size()[0])));
        }
        let config = &self.config;
        let flip_probability = if config.use_random_horizontal_flip { config.random_horizontal_flip.prob } else { 0.0 };
        let flips = draw_all(ids, key, "flip", |s| s.chance(flip_probability));
        let mut view = if config.use_random_crop {
            let crops = draw_all(ids, key, "crop", |s| resized_crop::draw(s, &config.random_crop, size));
            let params: Vec<_> = crops.into_iter().zip(flips).map(|(crop, flip)| Params { crop, flip }).collect();
            let resized = self.resize.map_or(self.nominal, |side| (side, side));
            let target = Target::center(resized, self.output, config.random_crop.interpolation);
            resized_crop::apply(images, &params, &target)?
        } else {
            self.resized(images, size, &flips)?
        };
        if config.use_random_color {
            let params = draw_all(ids, key, "color", |s| color_jitter::draw(s, &config.random_color));
            view = color_jitter::apply(view, &params)?;
        }
        if config.use_random_grayscale {
            let params = draw_all(ids, key, "grayscale", |s| s.chance(config.random_grayscale.prob));
            view = grayscale::apply(view, &params)?;
        }
        if config.use_gaussian_blur {
            let params = draw_all(ids, key, "blur", |s| gaussian_blur::draw(s, &config.gaussian_blur));
            view = gaussian_blur::apply(view, &params, self.blur_kernel)?;
        }
        if config.use_solarize {
            let params = draw_all(ids, key, "solarize", |s| s.chance(config.solarize.prob));
            view = solarize::apply(view, &params, config.solarize.threshold)?;
        }
        self.finish(view)
    }

    /// The deterministic view: the shorter side resized to `preprocess.resize`, the centre cropped, normalised.
    ///
    /// Same shapes and layout as [`Views::train`].
    ///
    /// # Errors
    /// Images of another kind or number of channels, and what libtorch refuses, memory first.
    pub fn eval(&self, images: &Images) -> Result<Tensor> {
        let images = &images.pixels;
        let size = self.check(images)?;
        let view = self.resized(images, size, &vec![false; images.size()[0] as usize])?;
        self.finish(view)
    }

    /// The plain resize and centre crop, with flips.
    fn resized(&self, images: &Tensor, size: (usize, usize), flips: &[bool]) -> Result<Tensor> {
        let resized = self.resize.map_or(self.nominal, |side| shorter_side_to(size, side));
        if resized == size && self.output == size && !flips.contains(&true) {
            return Ok(images.f_to_kind(Kind::Float)?.f_contiguous()?.f_mul_scalar_(1.0 / 255.0)?);
        }
        let crop = CropBox { top: 0, left: 0, height: size.0, width: size.1 };
        let params: Vec<_> = flips.iter().map(|&flip| Params { crop, flip }).collect();
        resized_crop::apply(images, &params, &Target::center(resized, self.output, Interpolation::Bilinear))
    }

    fn finish(&self, view: Tensor) -> Result<Tensor> {
        let view = match &self.statistics {
            Some((mean, std)) => normalize::apply(&view, mean, std)?,
            None => view,
        };
        if self.channels == 1 { Ok(view) } else { Ok(native::to_channels_last(&view)?) }
    }

    /// Height and width of the images, which must be uint8 with the expected number of channels.
    fn check(&self, images: &Tensor) -> Result<(usize, usize)> {
        match images.size().as_slice() {
            &[_, c, h, w] if images.kind() == Kind::Uint8 && c == self.channels as i64 && h > 0 && w > 0 => {
                Ok((h as usize, w as usize))
            }
            shape => Err(AugmentError::Images(format!(
                "expected uint8 images [B, {}, H, W], got {:?} {shape:?}",
                self.channels,
                images.kind()
            ))),
        }
    }
}

/// Each sample's parameters of one operation.
fn draw_all<T>(ids: &[i64], key: ViewKey, purpose: &str, draw: impl Fn(&mut Sample) -> T) -> Vec<T> {
    let draws = Draws::new(key, purpose);
    ids.iter().map(|&id| draw(&mut draws.sample(id))).collect()
}

/// (height, width) scaled so that the shorter one becomes `side`, the longer one rounded down.
fn shorter_side_to((height, width): (usize, usize), side: usize) -> (usize, usize) {
    if height <= width { (side, side * width / height) } else { (side * height / width, side) }
}

fn blur_kernel(config: &AugmentationConfig, output: (usize, usize)) -> Result<usize> {
    let side = output.0.min(output.1);
    let size = config.gaussian_blur.kernel_size.unwrap_or_else(|| gaussian_blur::default_kernel_size(side));
    if config.use_gaussian_blur && (size.is_multiple_of(2) || size / 2 >= side) {
        return Err(AugmentError::Setting {
            key: "augmentation.gaussian_blur.kernel_size",
            message: format!("is {size}; expected an odd number below twice the image's shorter side, {side} pixels"),
        });
    }
    Ok(size)
}

fn statistics_for(
    choice: NormalizeChoice,
    channels: usize,
    card: Option<(Vec<f64>, Vec<f64>)>,
) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
    let statistics = match choice {
        NormalizeChoice::None => None,
        NormalizeChoice::Dataset => card,
        NormalizeChoice::Imagenet => Some((IMAGENET_MEAN.to_vec(), IMAGENET_STD.to_vec())),
    };
    if let Some((mean, std)) = &statistics {
        let positive = std.iter().all(|&s| s > 0.0 && s.is_finite());
        if mean.len() != channels || std.len() != channels || !positive {
            return Err(AugmentError::Setting {
                key: "augmentation.normalize",
                message: format!(
                    "mean {mean:?} and standard deviation {std:?} do not go with {channels} channels; expected one mean \
                     and one deviation above 0 for each; set it to `none`"
                ),
            });
        }
    }
    Ok(statistics)
}
