//! Elastic deformation (Simard, Steinkraus & Platt 2003): every pixel is taken from a place displaced by smoothed noise.

use super::draw::{BatchDraws, Sample, fields};
use super::operation::{Apply, Operation, done_by_geometry};
use super::{Result, positions, upload};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Elastic deformation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticTransformConfig {
    /// Standard deviation of the Gaussian that smooths the random displacements, in pixels of the view, above 0.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub sigma: f64,
    /// Factor of the smoothed displacements, at least 0.
    #[schemars(range(min = 0))]
    pub alpha: f64,
    /// Probability, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub p_apply: f64,
}

impl Default for ElasticTransformConfig {
    fn default() -> Self {
        Self { sigma: 4.0, alpha: 35.0, p_apply: 0.5 }
    }
}

impl Operation for ElasticTransformConfig {
    fn describe(&self) -> String {
        format!("elastic sigma {} alpha {} p {}", self.sigma, self.alpha, self.p_apply)
    }

    fn draw(&self, _: &BatchDraws, _: usize, _: Size) -> Apply {
        done_by_geometry()
    }
}

/// The smoothing Gaussian ends at so many standard deviations.
const TRUNCATE: f64 = 4.0;

/// Whether one image is deformed.
pub fn draw(sample: &mut Sample, config: &ElasticTransformConfig) -> bool {
    sample.chance(config.p_apply)
}

/// The noise of n images out of the random numbers of each: `[n, 2, h, w]`, uniform in (−1, 1), x before y.
///
/// `samples` are those of the noise, not of [`draw`].
pub fn noise(samples: &mut [Sample], size: Size) -> Vec<f32> {
    fields(samples, 2 * size.area(), Sample::fill_symmetric)
}

/// Displacements `[B, 2, h, w]` in pixels of the view, out of the noise of the chosen images, float32 `[n, 2, h, w]`: smoothed
/// with a Gaussian of standard deviation `sigma` (beyond the border there is no noise), times `alpha`; 0 for the other
/// images.
pub fn displacements(noise: &Tensor, chosen: &[bool], config: &ElasticTransformConfig) -> Result<Tensor> {
    let (n, _, height, width) = noise.size4()?;
    let mut out = Tensor::f_zeros([chosen.len() as i64, 2, height, width], (Kind::Float, noise.device()))?;
    if n == 0 {
        return Ok(out);
    }
    let smooth = |length| -> Result<Tensor> {
        Ok(matrix(length as usize, config.sigma, noise.device())?.f_expand([2 * n, length, length], false)?)
    };
    // A Gaussian is the same in both directions, so its matrix is its own transpose.
    let across = noise.f_view([2 * n, height, width])?.f_bmm(&smooth(width)?)?;
    let mut smoothed = smooth(height)?.f_bmm(&across)?;
    let smoothed = smoothed.f_mul_scalar_(config.alpha)?.f_view([n, 2, height, width])?;
    let index = upload(&positions(chosen, |&on| on), noise.device())?.f_to_kind(Kind::Int64)?;
    let _ = out.f_index_copy_(0, &index, &smoothed)?;
    Ok(out)
}

/// The Gaussian along an axis of `length` pixels, as a matrix.
fn matrix(length: usize, sigma: f64, device: Device) -> Result<Tensor> {
    let radius = (TRUNCATE * sigma + 0.5) as usize;
    let weight = |x: usize| (-0.5 * (x as f64 / sigma).powi(2)).exp();
    let sum = 1.0 + 2.0 * (1..=radius).map(weight).sum::<f64>();
    let entry = |i: usize, j: usize| if i.abs_diff(j) <= radius { (weight(i.abs_diff(j)) / sum) as f32 } else { 0.0 };
    let numbers: Vec<f32> = (0..length).flat_map(|i| (0..length).map(move |j| entry(i, j))).collect();
    Ok(upload(&numbers, device)?.f_view([length as i64, length as i64])?)
}
