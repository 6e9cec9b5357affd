//! Affine map, crop, resize, flip and elastic deformation as one resampling.
//!
//! Every pixel of the view asks where it comes from: the maps of the single steps are inverted and composed, and the
//! image is read once, bilinearly, at the resulting place. Where the view has fewer pixels than the part of the image that it
//! shows, the image is first reduced by the nearest whole factor, each pixel the mean of a square, so that no detail
//! finer than the view's pixels is left to alias.

use super::random_affine::Map;
use super::{Result, full_scale, upload};
use crate::config::schema::Border;
use crate::data::Size;
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// What happens to one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// The size of the image in the upper left corner of its canvas.
    pub size: Size,
    /// From places in the view to places in the image.
    pub map: Map,
}

const BILINEAR: i64 = 0;
const BORDER: i64 = 1;

/// Resamples: uint8 or int32 `[B, C, H, W]` → float32 `[B, C, h, w]` in 0–1, of size `output`.
///
/// `displacements`: `[B, 2, h, w]` in pixels of the view, x before y, added to each pixel's place before its map.
pub fn apply(
    images: &Tensor,
    params: &[Params],
    displacements: Option<&Tensor>,
    output: Size,
    border: Border,
) -> Result<Tensor> {
    let (batch, channels, _, _) = images.size4()?;
    let (height, width) = (output.height as i64, output.width as i64);
    let scale = 1.0 / full_scale(images.kind())?;
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, params) in params.iter().enumerate() {
        groups.entry(reduction(params)).or_default().push(i);
    }
    let mut out = Tensor::f_empty([batch, channels, height, width], (Kind::Float, images.device()))?;
    for (factor, members) in groups {
        let index = upload(&members.iter().map(|&i| i as f32).collect::<Vec<_>>(), images.device())?;
        let index = index.f_to_kind(Kind::Int64)?;
        let all = members.len() == params.len();
        let some = |tensor: &Tensor| -> Result<Tensor> {
            Ok(if all { tensor.shallow_clone() } else { tensor.f_index_select(0, &index)? })
        };
        let reduced = reduce(&some(images)?.f_to_kind(Kind::Float)?, factor as i64)?;
        let chosen: Vec<Params> = members.iter().map(|&i| reduced_params(&params[i], factor)).collect();
        let displaced = displacements.map(some).transpose()?;
        let mut view = sample(&reduced, &chosen, displaced.as_ref(), output, border)?;
        let view = view.f_mul_scalar_(scale)?;
        if all {
            return Ok(view);
        }
        let _ = out.f_index_copy_(0, &index, &view)?;
    }
    Ok(out)
}

/// The whole factor nearest to the number of the image's pixels that one side of a view's pixel covers.
fn reduction(params: &Params) -> usize {
    let [[a, b], [c, d]] = params.map.linear;
    let side = (a * d - b * c).abs().sqrt().round() as usize;
    side.clamp(1, params.size.shorter())
}

fn reduce(images: &Tensor, factor: i64) -> Result<Tensor> {
    if factor == 1 {
        return Ok(images.f_contiguous()?);
    }
    Ok(images.f_avg_pool2d([factor, factor], [factor, factor], [0, 0], false, false, None::<i64>)?)
}

/// The same in the image reduced by `factor`; what does not fill a whole pixel at its right and lower edge is cut off.
fn reduced_params(params: &Params, factor: usize) -> Params {
    let scale = 1.0 / factor as f64;
    Params {
        size: Size { height: params.size.height / factor, width: params.size.width / factor },
        map: Map::scaling([scale, scale], [0.0, 0.0]).after(&params.map),
    }
}

const NUMBERS: i64 = 8;

/// Reads every image at the places that its map gives; float32 `[n, C, H, W]` → `[n, C, h, w]`.
fn sample(
    images: &Tensor,
    params: &[Params],
    displacements: Option<&Tensor>,
    Size { height, width }: Size,
    border: Border,
) -> Result<Tensor> {
    let (n, _, canvas_height, canvas_width) = images.size4()?;
    let device = images.device();
    let numbers = params.iter().flat_map(|Params { size, map }| {
        let [[a, b], [c, d]] = map.linear;
        [a, b, map.offset[0], c, d, map.offset[1], size.width as f64, size.height as f64].map(|number| number as f32)
    });
    let numbers = upload(&numbers.collect::<Vec<_>>(), device)?.f_view([n, NUMBERS, 1, 1])?;
    let number = |i: i64| numbers.f_select(1, i);
    let places = |length: usize| Tensor::f_arange_start(0.5, length as f64 + 0.5, (Kind::Float, device));
    let (mut x, mut y) = (places(width)?.f_view([1, 1, -1])?, places(height)?.f_view([1, -1, 1])?);
    if let Some(displacements) = displacements {
        x = displacements.f_select(1, 0)?.f_add_(&x)?;
        y = displacements.f_select(1, 1)?.f_add_(&y)?;
    }
    let axis = |first: i64, length: i64| -> Result<(Tensor, Option<Tensor>)> {
        let place = number(first)?.f_mul(&x)?.f_add(&number(first + 1)?.f_mul(&y)?)?.f_add_(&number(first + 2)?)?;
        within(&place, &number(length)?, border)
    };
    let (across, seen_across) = axis(0, 6)?;
    let (down, seen_down) = axis(3, 7)?;
    // Places as grid_sampler counts them: −1 and 1 are the canvas's edges.
    let grid = |place: Tensor, canvas: i64| place.f_mul_scalar(2.0 / canvas as f64)?.f_sub_scalar(1.0);
    let grid = Tensor::f_stack(&[grid(across, canvas_width)?, grid(down, canvas_height)?], -1)?;
    let mut view = images.f_grid_sampler(&grid, BILINEAR, BORDER, false)?;
    match (seen_across, seen_down) {
        (Some(across), Some(down)) => Ok(view.f_mul_(&across.f_mul(&down)?.f_unsqueeze(1)?)?),
        _ => Ok(view),
    }
}

/// Brings places along one axis into an image of `length` pixels; with [`Border::Zeros`] also the share of the image in
/// what is read there, the rest being black.
fn within(place: &Tensor, length: &Tensor, border: Border) -> Result<(Tensor, Option<Tensor>)> {
    let last = length.f_sub_scalar(0.5)?;
    let inner = |place: &Tensor| place.f_clamp_min(0.5)?.f_minimum(&last);
    match border {
        Border::Edge => Ok((inner(place)?, None)),
        Border::Zeros => {
            let share = place.f_add_scalar(0.5)?.f_minimum(&length.f_sub(place)?.f_add_scalar_(0.5)?)?;
            Ok((inner(place)?, Some(share.f_clamp(0.0, 1.0)?)))
        }
        Border::Reflect => {
            let period = length.f_mul_scalar(2.0)?;
            let turns = place.f_div(&period)?.f_floor_()?;
            let forward = place.f_sub(&turns.f_mul(&period)?)?;
            let back = forward.f_sub(length)?.f_abs()?;
            Ok((inner(&length.f_sub(&back)?)?, None))
        }
    }
}
