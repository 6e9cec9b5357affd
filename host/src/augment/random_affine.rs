//! Random rotation, shift and shear about the image's centre, as the map from a result's places to the image's.

use super::draw::{BatchDraws, Sample};
use super::operation::{Apply, Operation, done_by_geometry};
use crate::data::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Random rotation, shift and shear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomAffineConfig {
    /// Largest rotation to either side, in degrees, in [0, 180].
    #[schemars(range(min = 0, max = 180))]
    pub max_angle: f64,
    /// Largest shift to either side, as a share of the image's width, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub max_horizontal_shift: f64,
    /// Largest shift up or down, as a share of the image's height, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub max_vertical_shift: f64,
    /// Largest shear along x to either side, in degrees, in [0, 90).
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 90))]
    pub max_shear: f64,
    /// What stands outside of the image, for the elastic deformation as well: `reflect`, `edge` or `zeros`.
    pub border: Border,
}

impl Default for RandomAffineConfig {
    fn default() -> Self {
        Self {
            max_angle: 0.0,
            max_horizontal_shift: 0.0,
            max_vertical_shift: 0.0,
            max_shear: 5.0,
            border: Border::Reflect,
        }
    }
}

impl Operation for RandomAffineConfig {
    fn describe(&self) -> String {
        let turn = format!("turn ±{}°, shear ±{}°", self.max_angle, self.max_shear);
        match self.max_horizontal_shift > 0.0 || self.max_vertical_shift > 0.0 {
            true => format!("{turn}, shift ±{} × ±{}", self.max_horizontal_shift, self.max_vertical_shift),
            false => turn,
        }
    }

    fn draw(&self, _: &BatchDraws, _: usize, _: Size) -> Apply {
        done_by_geometry()
    }
}

/// What stands outside of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Black.
    Zeros,
    /// The nearest pixel of the image.
    Edge,
    /// The image mirrored at its edges.
    Reflect,
}

/// What happens to one image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Params {
    /// Rotation in degrees, clockwise.
    pub angle: f64,
    /// Shift to the right and down, in whole pixels of the image.
    pub shift: (f64, f64),
    /// Shear along x in degrees.
    pub shear: f64,
}

/// Draws one image's rotation, shift and shear.
pub fn draw(sample: &mut Sample, config: &RandomAffineConfig, Size { height, width }: Size) -> Params {
    let mut symmetric = |most: f64| sample.uniform(-most, most);
    let angle = symmetric(config.max_angle);
    let right = symmetric(config.max_horizontal_shift * width as f64).round_ties_even();
    let down = symmetric(config.max_vertical_shift * height as f64).round_ties_even();
    Params { angle, shift: (right, down), shear: symmetric(config.max_shear) }
}

/// A place in pixels, from the upper left corner of the upper left pixel: x, then y.
pub type Place = [f64; 2];

/// The map x ↦ `linear` · x + `offset` between two images' places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map {
    /// Row by row.
    pub linear: [[f64; 2]; 2],
    /// Added afterwards.
    pub offset: Place,
}

impl Map {
    /// Scales and shifts each axis.
    pub fn scaling(scale: Place, offset: Place) -> Self {
        Self { linear: [[scale[0], 0.0], [0.0, scale[1]]], offset }
    }

    /// Where a place goes.
    pub fn at(&self, place: Place) -> Place {
        let row = |i: usize| self.linear[i][0] * place[0] + self.linear[i][1] * place[1] + self.offset[i];
        [row(0), row(1)]
    }

    /// First `inner`, then this map.
    pub fn after(&self, inner: &Self) -> Self {
        let entry =
            |i: usize, j: usize| self.linear[i][0] * inner.linear[0][j] + self.linear[i][1] * inner.linear[1][j];
        Self { linear: [[entry(0, 0), entry(0, 1)], [entry(1, 0), entry(1, 1)]], offset: self.at(inner.offset) }
    }
}

/// From a place in the turned image to the place in the image of this size that stands there.
///
/// With R the rotation and S the shear by tan(shear) along x, the image is mapped by R·S about its centre and then
/// shifted, as torchvision's `affine` does with scale 1; this is the inverse.
pub fn inverse(params: &Params, Size { height, width }: Size) -> Map {
    let (sin, cos) = params.angle.to_radians().sin_cos();
    let tan = params.shear.to_radians().tan();
    let [[a, b], [c, d]] = [[cos, -cos * tan - sin], [sin, -sin * tan + cos]];
    // The determinant is 1.
    let linear = [[d, -b], [-c, a]];
    let centre = [width as f64 / 2.0, height as f64 / 2.0];
    let moved = [-centre[0] - params.shift.0, -centre[1] - params.shift.1];
    Map { linear, offset: Map { linear, offset: centre }.at(moved) }
}
