//! Gaussian blur with a standard deviation per image.
//!
//! Blurring with reflected borders is linear and separable, so an image becomes `K · X · Kᵀ` with a small matrix per
//! sample and side; torchvision's `gaussian_blur` gives the same numbers.

use super::draw::{BatchDraws, Sample};
use super::operation::{Apply, Misfit, Operation, range};
use super::{Result, change_some, positions, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Gaussian blur.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianBlurConfig {
    /// Smallest and largest standard deviation, in pixels, above 0.
    #[schemars(extend("x-ordered" = true, "items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub sigma: [f64; 2],
    /// Side of the kernel in pixels, odd; without it, the odd number nearest to a tenth of the image's side, at least 3.
    #[schemars(range(min = 1))]
    pub kernel_size: Option<usize>,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for GaussianBlurConfig {
    fn default() -> Self {
        Self { sigma: [0.1, 2.0], kernel_size: None, prob: 0.5 }
    }
}

impl Operation for GaussianBlurConfig {
    fn describe(&self) -> String {
        format!("blur sigma {} p {}", range(self.sigma), self.prob)
    }

    fn draw(&self, draws: &BatchDraws, _: usize, view: Size) -> Apply {
        let kernel_size = self.kernel_size_for(view.shorter());
        let params = draws.each("blur", |_, sample| draw(sample, self));
        Box::new(move |view| apply(view, &params, kernel_size))
    }

    fn misfit(&self, _: usize, view: Size) -> Option<Misfit> {
        let side = view.shorter();
        let size = self.kernel_size_for(side);
        let message = format!("is {size}; expected an odd number below twice the image's shorter side, {side} pixels");
        let is_wrong = size.is_multiple_of(2) || size / 2 >= side;
        is_wrong.then_some(Misfit { key: "gaussian_blur.kernel_size", message })
    }
}

impl GaussianBlurConfig {
    fn kernel_size_for(&self, side: usize) -> usize {
        self.kernel_size.unwrap_or_else(|| default_kernel_size(side))
    }
}

/// One image's standard deviation in pixels; [`None`] leaves it as it is.
pub type Params = Option<f64>;

/// Draws one image's standard deviation.
pub fn draw(sample: &mut Sample, config: &GaussianBlurConfig) -> Params {
    let sigma = sample.uniform(config.sigma[0], config.sigma[1]);
    sample.chance(config.prob).then_some(sigma)
}

/// The kernel's side for images whose shorter side is `side` where the configuration names none: the odd number
/// nearest to a tenth of the side, at least 3.
pub fn default_kernel_size(side: usize) -> usize {
    (2 * (side / 20) + 1).max(3)
}

/// Blurs each image with its own standard deviation and a kernel of `kernel_size` (odd, less than twice the shorter
/// side); `images`: float32 `[B, C, H, W]`.
pub fn apply(mut images: Tensor, params: &[Params], kernel_size: usize) -> Result<Tensor> {
    let mut numbers = positions(params, Option::is_some);
    let chosen = numbers.len() as i64;
    if chosen == 0 {
        return Ok(images);
    }
    numbers.extend(params.iter().flatten().flat_map(|&sigma| kernel(kernel_size, sigma)));
    let numbers = upload(&numbers, images.device())?;
    let kernels = numbers.f_narrow(0, chosen, chosen * kernel_size as i64)?.f_view([chosen, kernel_size as i64])?;
    change_some(&mut images, &numbers.f_narrow(0, 0, chosen)?, |some| {
        let (n, channels, height, width) = some.size4()?;
        let across =
            some.f_view([n, channels * height, width])?.f_bmm(&matrices(&kernels, width)?.f_transpose(1, 2)?)?;
        let down = matrices(&kernels, height)?.f_unsqueeze(1)?;
        Ok(down.f_matmul(&across.f_view([n, channels, height, width])?)?)
    })?;
    Ok(images)
}

/// exp(−x² / 2σ²) at the kernel's pixels, with sum 1.
fn kernel(size: usize, sigma: f64) -> impl Iterator<Item = f32> {
    let value = move |i: usize| (-0.5 * ((i as f64 - (size - 1) as f64 / 2.0) / sigma).powi(2)).exp();
    let sum: f64 = (0..size).map(value).sum();
    (0..size).map(move |i| (value(i) / sum) as f32)
}

/// The blurs `[n, length, length]` of one axis, out of kernels `[n, size]`.
fn matrices(kernels: &Tensor, length: i64) -> Result<Tensor> {
    let (n, size) = kernels.size2()?;
    Ok(kernels.f_matmul(&taps(size, length, kernels.device())?)?.f_view([n, length, length])?)
}

/// 1 where output pixel o takes input pixel j through tap t, else 0: `[size, length · length]`. Beyond the border the
/// image is mirrored without repeating the border's pixel.
fn taps(size: i64, length: i64, device: Device) -> Result<Tensor> {
    let reach = Tensor::f_arange_start(-(size / 2), size / 2 + 1, (Kind::Int64, device))?.f_view([size, 1])?;
    let from = Tensor::f_arange(length, (Kind::Int64, device))?.f_add(&reach)?.f_abs()?;
    let from = from.f_neg()?.f_add_scalar(length - 1)?.f_abs()?.f_neg()?.f_add_scalar(length - 1)?;
    Ok(from.f_one_hot(length)?.f_to_kind(Kind::Float)?.f_view([size, length * length])?)
}
