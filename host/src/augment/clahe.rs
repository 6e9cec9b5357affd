//! Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), with OpenCV's `CLAHE` as the definition.

use super::Result;
use super::geometry::Canvas;
use super::histogram::{Levels, Tiling, in_portions};
use crate::config::schema::ClaheConfig;
use tch::{Kind, Tensor};

/// Equalises each tile of each image on its own, with bounded slope, and blends the four nearest tiles' tables at every
/// pixel; same kind and shape.
///
/// Tiles divide the image evenly, to one pixel; OpenCV enlarges the image instead where that leaves a rest.
pub(super) fn apply(canvas: Canvas, config: &ClaheConfig) -> Result<Tensor> {
    let levels = Levels::of(canvas.pixels.kind());
    in_portions(canvas, config.tiles * config.tiles * levels.bins as usize, |pixels, sizes| {
        let tiling = Tiling::new(sizes, config.tiles, pixels)?;
        let bins = levels.bin(pixels)?;
        let tables = tables(&tiling.histograms(&bins, levels)?, levels, config.clip_limit)?.f_flatten(0, -1)?;
        let neighbours = |axis: usize| -> Result<[Tensor; 3]> {
            let place = tiling.place[axis].f_sub_scalar(0.5)?;
            let first = place.f_floor()?;
            let last = tiling.count[axis].f_sub_scalar(1.0)?;
            let inside = |tile: &Tensor| tile.f_clamp_min(0.0)?.f_minimum(&last);
            Ok([inside(&first)?, inside(&first.f_add_scalar(1.0)?)?, place.f_sub(&first)?])
        };
        let ([above, below, down], [left, right, across]) = (neighbours(0)?, neighbours(1)?);
        let level = |row: &Tensor, column: &Tensor| -> Result<Tensor> {
            let index = tiling.index(row, column)?.f_mul_scalar(levels.bins)?.f_add(&bins)?;
            Ok(tables.f_take(&index)?)
        };
        let row = |row: &Tensor| -> Result<Tensor> {
            let left = level(row, &left)?;
            Ok(left.f_add(&level(row, &right)?.f_sub(&left)?.f_mul(&across)?)?)
        };
        let above = row(&above)?;
        Ok(above.f_add(&row(&below)?.f_sub(&above)?.f_mul(&down)?)?.f_round()?)
    })
}

/// The new levels `[n, tiles, bins]` out of histograms of the same shape. What a bin holds beyond `clip_limit` times the
/// even share is dealt out to all bins, the rest of that to bins at equal distances.
fn tables(histograms: &Tensor, levels: Levels, clip_limit: f64) -> Result<Tensor> {
    let bins = levels.bins as f64;
    let area = histograms.f_sum_dim_intlist([2i64].as_slice(), true, Kind::Double)?;
    let limit = area.f_mul_scalar(clip_limit / bins)?.f_floor()?.f_clamp_min(1.0)?;
    let clipped = histograms.f_minimum(&limit)?;
    let excess = area.f_sub(&clipped.f_sum_dim_intlist([2i64].as_slice(), true, Kind::Double)?)?;
    let share = excess.f_div_scalar(bins)?.f_floor()?;
    let rest = excess.f_sub(&share.f_mul_scalar(bins)?)?;
    let step = rest.f_clamp_min(1.0)?.f_reciprocal()?.f_mul_scalar(bins)?.f_floor()?.f_clamp_min(1.0)?;
    let bin = Tensor::f_arange(levels.bins, (Kind::Double, histograms.device()))?;
    let turn = bin.f_div(&step)?;
    let chosen = turn.f_eq_tensor(&turn.f_floor()?)?.f_logical_and(&turn.f_lt_tensor(&rest)?)?;
    let cumulated = clipped.f_add(&share)?.f_add(&chosen)?.f_cumsum(2, None)?;
    // A tile without a pixel is never asked.
    let factor = area.f_clamp_min(1.0)?.f_reciprocal()?.f_mul_scalar(levels.largest)?;
    Ok(cumulated.f_mul(&factor)?.f_round()?.f_clamp(0.0, levels.largest)?)
}
