//! Where each image's view lies: its resize, crop, flip, affine map and elastic deformation, and the one resampling that
//! computes them.

use super::draw::BatchDraws;
use super::random_affine::Border;
use super::resized_crop::{CropBox, Params};
use super::{Result, elastic, full_scale, random_affine, resized_crop, upload, warp};
use crate::config::schema::{AugmentationConfig, Interpolation};
use crate::data::Size;
use tch::{Device, Kind, Tensor};

/// What every image becomes in size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Geometry {
    /// Side that `preprocess.resize` asks for; without it, images are resized to `nominal`.
    pub resize: Option<usize>,
    /// The data set's usual size.
    pub nominal: Size,
    /// The size of a view.
    pub output: Size,
}

/// Images on their canvas: uint8 or int32 `[B, C, H, W]`, and the size of each in its upper left corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Canvas<'a> {
    pub pixels: &'a Tensor,
    pub sizes: &'a [Size],
}

/// Where the views of a batch lie.
pub(super) enum Placed {
    /// Rows and columns are resampled one after the other.
    Separable(Vec<Params>),
    /// Each pixel is traced back.
    Warped { maps: Vec<warp::Params>, elastic: Option<Elastic> },
}

/// The elastic deformation of a batch: of which images, and the noise of those.
pub(super) struct Elastic {
    chosen: Vec<bool>,
    noise: Vec<f32>,
}

/// What lies beyond the image, in words; nothing where no view reaches beyond it.
pub(super) fn describe_border(config: &AugmentationConfig) -> Option<String> {
    let border = match config.random_affine.border {
        Border::Zeros => "black",
        Border::Edge => "its edge",
        Border::Reflect => "its mirror image",
    };
    is_warped(config).then(|| format!("beyond the image {border}"))
}

/// Whether pixels are traced back one by one, since the maps are not separable.
fn is_warped(config: &AugmentationConfig) -> bool {
    config.use_random_affine || config.use_elastic_transform
}

impl Geometry {
    /// The same for square views of another side.
    pub fn resized(self, side: usize) -> Self {
        Self { resize: Some(side), output: Size::square(side), ..self }
    }

    /// Draws where the view of each image lies, for images of these sizes.
    pub fn draw(&self, sizes: &[Size], config: &AugmentationConfig, draws: &BatchDraws) -> Placed {
        let params = self.draw_params(sizes, config, draws);
        match is_warped(config) {
            true => self.draw_warp(sizes, config, &params, draws),
            false => Placed::Separable(params),
        }
    }

    /// The views of a batch before anything changes their colours: float32 `[B, C, h, w]` in 0–1.
    pub fn train(&self, canvas: Canvas, config: &AugmentationConfig, placed: &Placed) -> Result<Tensor> {
        match placed {
            Placed::Warped { maps, elastic } => {
                let displacements =
                    elastic.as_ref().map(|elastic| self.displacements(elastic, canvas.pixels.device(), config));
                let displacements = displacements.transpose()?;
                warp::apply(canvas.pixels, maps, displacements.as_ref(), self.output, config.random_affine.border)
            }
            Placed::Separable(params) if config.use_random_crop => {
                resized_crop::apply(canvas.pixels, params, self.output, config.random_crop.interpolation)
            }
            Placed::Separable(params) => self.resample(canvas, params),
        }
    }

    /// The plain resize and centre crop.
    pub fn eval(&self, canvas: Canvas) -> Result<Tensor> {
        let params: Vec<_> = canvas.sizes.iter().map(|&size| self.plain(size, false)).collect();
        self.resample(canvas, &params)
    }

    fn draw_params(&self, sizes: &[Size], config: &AugmentationConfig, draws: &BatchDraws) -> Vec<Params> {
        let probability = if config.use_random_horizontal_flip { config.random_horizontal_flip.prob } else { 0.0 };
        let flips = draws.each("flip", |_, s| s.chance(probability));
        if !config.use_random_crop {
            return sizes.iter().zip(flips).map(|(&size, flip)| self.plain(size, flip)).collect();
        }
        let crops = draws.each("crop", |i, s| resized_crop::draw(s, &config.random_crop, sizes[i]));
        let resized = self.resize.map_or(self.nominal, Size::square);
        crops.into_iter().zip(flips).map(|(crop, flip)| Params::center(crop, flip, resized, self.output)).collect()
    }

    /// The whole image, resized so that its shorter side fits, and its centre.
    fn plain(&self, size: Size, flip: bool) -> Params {
        let resized =
            self.resize.map_or_else(|| covering(size, self.nominal), |side| covering(size, Size::square(side)));
        Params::center(CropBox::whole(size), flip, resized, self.output)
    }

    fn resample(&self, canvas: Canvas, params: &[Params]) -> Result<Tensor> {
        let shape = canvas.pixels.size();
        let full = Size { height: shape[2] as usize, width: shape[3] as usize };
        let as_is = Params::whole(CropBox::whole(full), false, full);
        if self.output == full && params.iter().all(|params| *params == as_is) {
            let scale = 1.0 / full_scale(canvas.pixels.kind())?;
            return Ok(canvas.pixels.f_to_kind(Kind::Float)?.f_contiguous()?.f_mul_scalar_(scale)?);
        }
        resized_crop::apply(canvas.pixels, params, self.output, Interpolation::Bilinear)
    }

    /// All maps in one: from the view through the elastic deformation, the flip, the crop and the affine map.
    fn draw_warp(&self, sizes: &[Size], config: &AugmentationConfig, params: &[Params], draws: &BatchDraws) -> Placed {
        let turns = match config.use_random_affine {
            true => draws.each("affine", |i, s| random_affine::draw(s, &config.random_affine, sizes[i])),
            false => vec![random_affine::Params::default(); sizes.len()],
        };
        let maps = turns.iter().zip(params).zip(sizes);
        let maps = maps.map(|((turn, params), &size)| warp::Params {
            size,
            map: random_affine::inverse(turn, size).after(&params.map()),
        });
        let maps: Vec<_> = maps.collect();
        let elastic = config.use_elastic_transform.then(|| {
            let chosen = draws.each("elastic", |_, s| elastic::draw(s, &config.elastic_transform));
            let noise = elastic::noise(&mut draws.chosen("elastic-field", &chosen), self.output);
            Elastic { chosen, noise }
        });
        Placed::Warped { maps, elastic }
    }

    fn displacements(&self, elastic: &Elastic, device: Device, config: &AugmentationConfig) -> Result<Tensor> {
        let Size { height, width } = self.output;
        let noise = upload(&elastic.noise, device)?.f_view([-1, 2, height as i64, width as i64])?;
        elastic::displacements(&noise, &elastic.chosen, &config.elastic_transform)
    }
}

/// A size scaled so that the tighter side just fills `frame`, the other one rounded down.
fn covering(Size { height, width }: Size, frame: Size) -> Size {
    match height * frame.width <= width * frame.height {
        true => Size { width: (frame.height * width / height).max(frame.width), ..frame },
        false => Size { height: (frame.width * height / width).max(frame.height), ..frame },
    }
}
