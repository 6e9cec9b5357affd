//! Grey-level histograms of the parts of each image, and tables of new levels.

use super::geometry::Canvas;
use super::{Result, upload};
use crate::data::{Depth, Size};
use tch::{Kind, Tensor};

/// Pixels worked on at a time; every one of them needs some dozen bytes in between.
const PIXELS_AT_ONCE: usize = 1 << 23;

/// How grey levels are counted in images of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    /// Number of bins.
    pub bins: i64,
    /// Levels in a bin.
    width: i64,
    /// The largest level.
    pub largest: f64,
}

impl Levels {
    /// One bin a level for 8 bits; 4096 bins for 16, so that tables stay small.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Uint8 => Self { bins: 256, width: 1, largest: Depth::U8.full_scale() },
            _ => Self { bins: 4096, width: 16, largest: Depth::U16.full_scale() },
        }
    }

    /// The bin of each pixel, int64.
    pub fn bin(&self, pixels: &Tensor) -> Result<Tensor> {
        let levels = pixels.f_to_kind(Kind::Int64)?;
        Ok(if self.width == 1 { levels } else { levels.f_div_scalar_mode(self.width, "floor")? })
    }

    /// The lowest level of each bin, float64 `[bins]`.
    pub fn lowest(&self, device: tch::Device) -> Result<Tensor> {
        Ok(Tensor::f_arange(self.bins, (Kind::Double, device))?.f_mul_scalar(self.width as f64)?)
    }
}

/// Grey images as pixels `[n, H, W]` with their sizes, in portions; joins what `change` returns, which holds so many
/// `entries` of tables for an image beside its pixels.
pub(super) fn in_portions(
    canvas: Canvas,
    entries: usize,
    change: impl Fn(&Tensor, &[Size]) -> Result<Tensor>,
) -> Result<Tensor> {
    let (batch, _, height, width) = canvas.pixels.size4()?;
    let portion = (PIXELS_AT_ONCE / entries.max((height * width) as usize)).max(1);
    let mut changed = Vec::new();
    for (i, sizes) in canvas.sizes.chunks(portion).enumerate() {
        let some = canvas.pixels.f_narrow(0, (i * portion) as i64, sizes.len() as i64)?;
        changed.push(change(&some.f_view([-1, height, width])?, sizes)?);
    }
    Ok(Tensor::f_cat(&changed, 0)?.f_to_kind(canvas.pixels.kind())?.f_view([batch, 1, height, width])?)
}

/// The places of pixels among each image's tiles, which divide its height and width into `tiles` parts (fewer where it
/// has fewer pixels).
pub(super) struct Tiling {
    /// Tiles along a side, at most.
    pub tiles: i64,
    /// Row and column of each pixel in tiles, float64 `[n, H, 1]` and `[n, 1, W]`: 1.5 is the middle of the second tile.
    pub place: [Tensor; 2],
    /// Number of tiles along each image's height and width, float64 `[n, 1, 1]`.
    pub count: [Tensor; 2],
}

impl Tiling {
    pub fn new(sizes: &[Size], tiles: usize, pixels: &Tensor) -> Result<Self> {
        let (_, height, width) = pixels.size3()?;
        let device = pixels.device();
        let numbers = |length: fn(&Size) -> usize| -> Result<(Tensor, Tensor)> {
            let lengths: Vec<f32> = sizes.iter().map(|size| length(size) as f32).collect();
            let counts: Vec<f32> = sizes.iter().map(|size| length(size).min(tiles) as f32).collect();
            let tensor = |values: &[f32]| -> Result<Tensor> {
                Ok(upload(values, device)?.f_to_kind(Kind::Double)?.f_view([-1, 1, 1])?)
            };
            Ok((tensor(&lengths)?, tensor(&counts)?))
        };
        let place = |canvas: i64, shape: [i64; 3], (length, count): &(Tensor, Tensor)| -> Result<Tensor> {
            let pixels = Tensor::f_arange(canvas, (Kind::Double, device))?.f_view(shape)?;
            Ok(pixels.f_mul(count)?.f_div(length)?)
        };
        let (down, across) = (numbers(|size| size.height)?, numbers(|size| size.width)?);
        let place = [place(height, [1, -1, 1], &down)?, place(width, [1, 1, -1], &across)?];
        Ok(Self { tiles: tiles as i64, place, count: [down.1, across.1] })
    }

    /// The histogram of each tile: float64 `[n, tiles², bins]`; pixels beyond an image are not counted.
    pub fn histograms(&self, bins: &Tensor, levels: Levels) -> Result<Tensor> {
        let n = bins.size()[0];
        let [down, across] = &self.place;
        let tile = self.index(&down.f_floor()?, &across.f_floor()?)?;
        let index = tile.f_mul_scalar(levels.bins)?.f_add(bins)?;
        let outside = down.f_ge_tensor(&self.count[0])?.f_logical_or(&across.f_ge_tensor(&self.count[1])?)?;
        let total = n * self.tiles * self.tiles * levels.bins;
        let index = index.f_masked_fill(&outside, total)?.f_flatten(0, -1)?;
        // Not `bincount`, for which CUDA waits. Whole numbers add up to the same in any order.
        let real = (Kind::Double, index.device());
        let mut counts = Tensor::f_zeros([total + 1], real)?;
        let counts = counts.f_scatter_add_(0, &index, &Tensor::f_ones([1], real)?.f_expand_as(&index)?)?;
        Ok(counts.f_narrow(0, 0, total)?.f_view([n, self.tiles * self.tiles, levels.bins])?)
    }

    /// The number of each pixel's tile among all tiles of all images, int64 `[n, H, W]`, for rows and columns of tiles.
    pub fn index(&self, down: &Tensor, across: &Tensor) -> Result<Tensor> {
        let n = down.size()[0];
        let images = Tensor::f_arange(n, (Kind::Double, down.device()))?.f_view([n, 1, 1])?;
        let rows = images.f_mul_scalar(self.tiles as f64)?.f_add(down)?;
        Ok(rows.f_mul_scalar(self.tiles as f64)?.f_add(across)?.f_to_kind(Kind::Int64)?)
    }
}
