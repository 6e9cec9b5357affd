//! Random resized crop, horizontal flip and plain resize: all one separable resampling.
//!
//! Of each sample a row of the output is a weighted sum of rows of the input, and so for columns, so the whole is
//! `Wy · X · Wxᵀ` with two small matrices per sample. The weights are those of torchvision's `resized_crop(…,
//! antialias=True)`: the filter's support grows with the scale when the image shrinks. A flip reverses the rows of Wx.

use super::draw::{BatchDraws, Sample};
use super::operation::{Apply, Operation, done_by_geometry, range};
use super::random_affine::Map;
use super::{Result, full_scale, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Random resized crop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomCropConfig {
    /// Smallest and largest share of the image's area, in (0, 1].
    #[schemars(extend("x-ordered" = true, "items" = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}))]
    pub scale: [f64; 2],
    /// Smallest and largest aspect ratio, above 0.
    #[schemars(extend("x-ordered" = true, "items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub ratio: [f64; 2],
    /// `bilinear` or `bicubic`.
    pub interpolation: Interpolation,
}

impl Default for RandomCropConfig {
    fn default() -> Self {
        Self { scale: [0.9, 1.0], ratio: [0.75, 4.0 / 3.0], interpolation: Interpolation::Bilinear }
    }
}

impl Operation for RandomCropConfig {
    fn describe(&self) -> String {
        let cubic = if self.interpolation == Interpolation::Bicubic { ", bicubic" } else { "" };
        format!("crop {} of the area{cubic}", range(self.scale))
    }

    fn draw(&self, _: &BatchDraws, _: usize, _: Size) -> Apply {
        done_by_geometry()
    }
}

/// How pixels between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// From the 2×2 nearest pixels.
    Bilinear,
    /// From the 4×4 nearest pixels.
    Bicubic,
}

/// The part of an image that is kept, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Columns, at least 1.
    pub width: usize,
}

impl CropBox {
    /// The whole of an image.
    pub const fn whole(Size { height, width }: Size) -> Self {
        Self { top: 0, left: 0, height, width }
    }
}

/// What happens to one image: the crop box is resized to `resized`, mirrored, and a window of it kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// The part that is resized.
    pub crop: CropBox,
    /// Whether the result is mirrored left to right.
    pub flip: bool,
    /// What the crop box is resized to.
    pub resized: Size,
    /// First row and first column of the window in the resized and mirrored image.
    pub window: (usize, usize),
}

impl Params {
    /// The whole resized image.
    pub fn whole(crop: CropBox, flip: bool, resized: Size) -> Self {
        Self { crop, flip, resized, window: (0, 0) }
    }

    /// The middle of the resized image, of size `output`, at most as large, placed as torchvision's
    /// `center_crop` does.
    pub fn center(crop: CropBox, flip: bool, resized: Size, output: Size) -> Self {
        let start = |outer: usize, inner: usize| ((outer - inner) as f64 / 2.0).round_ties_even() as usize;
        Self { crop, flip, resized, window: (start(resized.height, output.height), start(resized.width, output.width)) }
    }

    /// From places in the window to places in the image.
    pub fn map(&self) -> Map {
        let scale = |size: usize, resized: usize| size as f64 / resized as f64;
        let across = scale(self.crop.width, self.resized.width);
        let down = scale(self.crop.height, self.resized.height);
        let left = self.window.1 as f64;
        let (step, first) =
            if self.flip { (-across, across * (self.resized.width as f64 - left)) } else { (across, across * left) };
        let offset = [self.crop.left as f64 + first, self.crop.top as f64 + down * self.window.0 as f64];
        Map::scaling([step, down], offset)
    }
}

/// Draws the crop box of one image of this size as torchvision's `RandomResizedCrop.get_params` does.
pub fn draw(sample: &mut Sample, config: &RandomCropConfig, size: Size) -> CropBox {
    let [scale, ratio] = [config.scale, config.ratio];
    let Size { height, width } = size;
    let area = size.area() as f64;
    for _ in 0..10 {
        let target_area = area * sample.uniform(scale[0], scale[1]);
        let aspect = sample.uniform(ratio[0].ln(), ratio[1].ln()).exp();
        let w = (target_area * aspect).sqrt().round_ties_even() as usize;
        let h = (target_area / aspect).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let top = sample.below(height - h + 1);
            return CropBox { top, left: sample.below(width - w + 1), height: h, width: w };
        }
    }
    // The largest central box within the range of ratios.
    let (fh, fw) = (height as f64, width as f64);
    let (h, w) = if fw / fh < ratio[0] {
        (((fw / ratio[0]).round_ties_even() as usize).clamp(1, height), width)
    } else if fw / fh > ratio[1] {
        (height, ((fh * ratio[1]).round_ties_even() as usize).clamp(1, width))
    } else {
        (height, width)
    };
    CropBox { top: (height - h) / 2, left: (width - w) / 2, height: h, width: w }
}

/// Crops, resizes and flips: uint8 or int32 `[B, C, H, W]` → float32 `[B, C, h, w]` in 0–1, of size `output`, with one
/// of `params` per image.
pub fn apply(images: &Tensor, params: &[Params], output: Size, interpolation: Interpolation) -> Result<Tensor> {
    let (batch, channels, height, width) = images.size4()?;
    let (rows, columns) = (output.height as i64, output.width as i64);
    let mut numbers = Vec::with_capacity(params.len() * 2 * AXIS_NUMBERS);
    for p in params {
        numbers.extend(axis_numbers(p.crop.top, p.crop.height, p.resized.height, p.window.0, false));
        numbers.extend(axis_numbers(p.crop.left, p.crop.width, p.resized.width, p.window.1, p.flip));
    }
    let numbers = upload(&numbers, images.device())?.f_view([batch, 2, AXIS_NUMBERS as i64, 1])?;
    let of = |numbers: &Tensor, output: i64, length: i64| weights(numbers, output, length, interpolation);
    let (wy, wx) = if (rows, height) == (columns, width) {
        let both = of(&numbers.f_view([2 * batch, AXIS_NUMBERS as i64, 1])?, rows, height)?;
        let both = both.f_view([batch, 2, rows, height])?;
        (both.f_select(1, 0)?, both.f_select(1, 1)?)
    } else {
        (of(&numbers.f_select(1, 0)?, rows, height)?, of(&numbers.f_select(1, 1)?, columns, width)?)
    };
    let wx = wx.f_mul_scalar(1.0 / full_scale(images.kind())?)?;

    let pixels = images.f_contiguous()?.f_to_kind(Kind::Float)?.f_view([batch, channels * height, width])?;
    let narrow = pixels.f_bmm(&wx.f_transpose(1, 2)?)?.f_view([batch, channels, height, columns])?;
    let mut out = wy.f_unsqueeze(1)?.f_matmul(&narrow)?;
    // Cubic weights are partly negative and overshoot.
    match interpolation {
        Interpolation::Bilinear => Ok(out),
        Interpolation::Bicubic => Ok(out.f_clamp_(0.0, 1.0)?),
    }
}

const AXIS_NUMBERS: usize = 5;

/// What one image's weights along one axis are computed from: the box's first and last edge, the filter's inverse
/// width, the centre of the first output pixel in the input, and the step from one output pixel to the next.
fn axis_numbers(start: usize, size: usize, resized: usize, window: usize, flip: bool) -> [f32; AXIS_NUMBERS] {
    let scale = size as f64 / resized as f64;
    let first = if flip { resized - 1 - window } else { window };
    let centre = start as f64 + scale * (first as f64 + 0.5);
    let step = if flip { -scale } else { scale };
    [start as f64, (start + size) as f64, 1.0 / scale.max(1.0), centre, step].map(|number| number as f32)
}

/// The weights `[B, output, length]` of one axis from its numbers `[B, 5, 1]`; every row sums to 1.
fn weights(numbers: &Tensor, output: i64, length: i64, interpolation: Interpolation) -> Result<Tensor> {
    let number = |i: i64| numbers.f_narrow(1, i, 1);
    let (first, last, inverse_width) = (number(0)?, number(1)?, number(2)?);
    let steps = Tensor::f_arange(output, (Kind::Float, numbers.device()))?.f_view([output, 1])?;
    let centres = number(3)?.f_addcmul(&number(4)?, &steps)?;
    let pixels = Tensor::f_arange_start(0.5, length as f64 + 0.5, (Kind::Float, numbers.device()))?;
    let inside = pixels.f_gt_tensor(&first)?.f_logical_and(&pixels.f_lt_tensor(&last)?)?;
    let mut distance = pixels.f_sub(&centres)?;
    let distance = distance.f_mul_(&inverse_width)?.f_abs_()?;
    let mut weights = match interpolation {
        Interpolation::Bilinear => triangle(distance)?,
        Interpolation::Bicubic => cubic(&distance)?,
    };
    let mut weights = weights.f_mul_(&inside)?;
    let sums = weights.f_sum_dim_intlist(-1i64, true, Kind::Float)?;
    Ok(weights.f_div_(&sums)?)
}

/// max(0, 1 − d).
fn triangle(mut distance: Tensor) -> Result<Tensor> {
    Ok(distance.f_neg_()?.f_add_scalar_(1.0)?.f_clamp_min_(0.0)?)
}

/// Keys' cubic convolution with a = −1/2, as PIL and PyTorch's antialiasing have it.
fn cubic(d: &Tensor) -> Result<Tensor> {
    // (1.5 d − 2.5) d² + 1 for d < 1; ((−0.5 d + 2.5) d − 4) d + 2 for d < 2; else 0.
    let near = (d.f_mul_scalar(1.5)?.f_sub_scalar(2.5)?).f_mul(d)?.f_mul(d)?.f_add_scalar(1.0)?;
    let far = d.f_mul_scalar(-0.5)?.f_add_scalar(2.5)?.f_mul(d)?.f_sub_scalar(4.0)?.f_mul(d)?.f_add_scalar(2.0)?;
    let far = far.f_mul(&d.f_lt(2.0)?)?;
    Ok(near.f_where_self(&d.f_lt(1.0)?, &far)?)
}
