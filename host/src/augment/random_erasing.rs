//! Random erasing (Zhong et al. 2020): a rectangle becomes black.

use super::draw::{BatchDraws, Sample};
use super::operation::{Apply, Operation, range};
use super::resized_crop::CropBox;
use super::{Result, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Random erasing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomErasingConfig {
    /// Smallest and largest share of the view's area, in (0, 1].
    #[schemars(extend("x-ordered" = true, "items" = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}))]
    pub scale: [f64; 2],
    /// Smallest and largest aspect ratio, above 0.
    #[schemars(extend("x-ordered" = true, "items" = {"type": "number", "exclusiveMinimum": 0}))]
    pub ratio: [f64; 2],
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub prob: f64,
}

impl Default for RandomErasingConfig {
    fn default() -> Self {
        Self { scale: [0.01, 0.1], ratio: [0.3, 3.3], prob: 0.5 }
    }
}

impl Operation for RandomErasingConfig {
    fn describe(&self) -> String {
        format!("erase {} of the view p {}", range(self.scale), self.prob)
    }

    fn draw(&self, draws: &BatchDraws, _: usize, view: Size) -> Apply {
        let params = draws.each("erasing", |_, sample| draw(sample, self, view));
        Box::new(move |view| apply(view, &params))
    }
}

/// The rectangle of one image; [`None`] leaves it as it is.
pub type Params = Option<CropBox>;

/// Draws one image's rectangle, as torchvision's `RandomErasing` does; `size` is the view's.
pub fn draw(sample: &mut Sample, config: &RandomErasingConfig, size: Size) -> Params {
    if !sample.chance(config.prob) {
        return None;
    }
    let Size { height, width } = size;
    let area = size.area() as f64;
    for _ in 0..10 {
        let erased = area * sample.uniform(config.scale[0], config.scale[1]);
        let aspect = sample.uniform(config.ratio[0].ln(), config.ratio[1].ln()).exp();
        let h = (erased * aspect).sqrt().round_ties_even() as usize;
        let w = (erased / aspect).sqrt().round_ties_even() as usize;
        if (1..height).contains(&h) && (1..width).contains(&w) {
            let top = sample.below(height - h + 1);
            return Some(CropBox { top, left: sample.below(width - w + 1), height: h, width: w });
        }
    }
    None
}

/// Sets each image's rectangle to 0; `images`: float32 `[B, C, H, W]`.
pub fn apply(mut images: Tensor, params: &[Params]) -> Result<Tensor> {
    let (batch, _, height, width) = images.size4()?;
    let nothing = CropBox { top: 0, left: 0, height: 0, width: 0 };
    let edges = params.iter().flat_map(|params| {
        let b = params.unwrap_or(nothing);
        [b.top, b.top + b.height, b.left, b.left + b.width].map(|edge| edge as f32)
    });
    let edges = upload(&edges.collect::<Vec<_>>(), images.device())?.f_view([batch, 4, 1, 1, 1])?;
    let inside = |length: i64, axis: i64| -> Result<Tensor> {
        let places = Tensor::f_arange(length, (Kind::Float, edges.device()))?;
        let first = places.f_ge_tensor(&edges.f_select(1, axis)?.f_view([batch, 1])?)?;
        Ok(first.f_logical_and(&places.f_lt_tensor(&edges.f_select(1, axis + 1)?.f_view([batch, 1])?)?)?)
    };
    let rows = inside(height, 0)?.f_view([batch, 1, height, 1])?;
    let columns = inside(width, 2)?.f_view([batch, 1, 1, width])?;
    Ok(images.f_masked_fill_(&rows.f_logical_and(&columns)?, 0.0)?)
}
