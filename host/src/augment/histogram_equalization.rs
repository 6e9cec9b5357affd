//! Histogram equalisation of whole images, with OpenCV's `equalizeHist` as the definition.

use super::Result;
use super::geometry::Canvas;
use super::histogram::{Levels, Tiling, in_portions};
use tch::Tensor;

/// Spreads each image's grey levels so that their cumulative distribution is straight; same kind and shape.
///
/// With c(v) the number of pixels up to level v and c₀ that of the lowest level, v becomes
/// round(largest · (c(v) − c₀) / (c(largest) − c₀)). An image of one level stays as it is.
pub(super) fn apply(canvas: Canvas) -> Result<Tensor> {
    let levels = Levels::of(canvas.pixels.kind());
    in_portions(canvas, levels.bins as usize, |pixels, sizes| {
        let bins = levels.bin(pixels)?;
        let cumulated =
            Tiling::new(sizes, 1, pixels)?.histograms(&bins, levels)?.f_squeeze_dim(1)?.f_cumsum(1, None)?;
        let total = cumulated.f_narrow(1, levels.bins - 1, 1)?;
        let lowest = cumulated.f_where_self(&cumulated.f_gt(0.0)?, &total)?.f_amin([1i64].as_slice(), true)?;
        let spread = cumulated.f_sub(&lowest)?.f_mul_scalar(levels.largest)?;
        let table = spread.f_div(&total.f_sub(&lowest)?)?.f_round()?.f_clamp_min(0.0)?;
        let constant = total.f_eq_tensor(&lowest)?;
        let table = levels.lowest(pixels.device())?.f_where_self(&constant, &table)?;
        Ok(table.f_gather(1, &bins.f_flatten(1, 2)?, false)?)
    })
}
