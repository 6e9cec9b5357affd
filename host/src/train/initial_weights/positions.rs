//! Position embeddings of vision transformers that were made for images of another size.

use crate::data::Size;
use crate::error::Error;
use tch::{Kind, Tensor};

/// A resampled position embedding, and rows and columns of patches before and after.
#[derive(Debug)]
pub struct Resampled {
    pub tensor: Tensor,
    pub from: [i64; 2],
    pub to: [i64; 2],
}

/// A position embedding `[1, 1 + n², D]` of a class token and n × n patches for `shape`, `[1, 1 + rows · columns, D]` of
/// images of this size: the patches are resampled as an image is, bicubically with antialiasing, as timm's
/// `resample_abs_pos_embed` does; none where the shapes are no such ones.
///
/// # Errors
/// Anything libtorch refuses.
pub fn resampled(given: &Tensor, shape: &[i64], image: Size) -> Result<Option<Resampled>, Error> {
    let (&[1, from, dim], &[1, to, own_dim]) = (given.size().as_slice(), shape) else { return Ok(None) };
    let (side, wanted) = (((from - 1).max(0) as f64).sqrt() as i64, grid(to - 1, image));
    let Some(wanted) = wanted.filter(|_| dim == own_dim && side > 0 && side * side == from - 1) else {
        return Ok(None);
    };
    let given = given.f_to_kind(Kind::Float)?;
    let (class, patches) = (given.f_slice(1, 0, 1, 1)?, given.f_slice(1, 1, None, 1)?);
    let picture = patches.f_transpose(1, 2)?.f_reshape([1, dim, side, side])?;
    let resampled = picture.f_internal_upsample_bicubic2d_aa(wanted, false, None, None)?;
    let resampled = Tensor::f_cat(&[class, resampled.f_flatten(2, -1)?.f_transpose(1, 2)?], 1)?;
    Ok(Some(Resampled { tensor: resampled, from: [side, side], to: wanted }))
}

/// Rows and columns of so many square patches of an image.
fn grid(patches: i64, image: Size) -> Option<[i64; 2]> {
    let (height, width) = (image.height as f64, image.width as f64);
    let patch = (height * width / patches.max(1) as f64).sqrt();
    let grid = [height, width].map(|length| (length / patch).round() as i64);
    (grid[0] * grid[1] == patches).then_some(grid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of the bicubic filter (a = −0.5) with antialiasing, written out from its definition.
    fn reference(from: usize, to: usize) -> Vec<Vec<f64>> {
        let cubic = |x: f64| match x.abs() {
            x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            _ => 0.0,
        };
        let scale = (from as f64 / to as f64).max(1.0);
        let row = |i: usize| {
            let centre = from as f64 / to as f64 * (i as f64 + 0.5);
            let weights: Vec<f64> = (0..from).map(|j| cubic((j as f64 + 0.5 - centre) / scale)).collect();
            let sum: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / sum).collect()
        };
        (0..to).map(row).collect()
    }

    #[test]
    fn patches_are_resampled_as_an_image_is_and_the_class_token_stays() {
        for (side, size, wanted) in
            [(4, Size::square(32), [2, 2]), (3, Size::square(56), [7, 7]), (4, Size { height: 32, width: 48 }, [2, 3])]
        {
            let value = |i: i64| ((i * i * 7 + 3 * i) % 11) as f32 / 11.0;
            let values: Vec<f32> = (0..1 + side * side).map(value).collect();
            let given = Tensor::from_slice(&values).view([1, -1, 1]);
            let Resampled { tensor: result, from, to } =
                resampled(&given, &[1, 1 + wanted[0] * wanted[1], 1], size).unwrap().unwrap();
            assert_eq!((from, to), ([side, side], wanted));
            assert_eq!(result.double_value(&[0, 0, 0]), f64::from(values[0]));
            let [rows, columns] = wanted.map(|to| reference(side as usize, to as usize));
            for (r, row) in rows.iter().enumerate() {
                for (c, column) in columns.iter().enumerate() {
                    let at = |y: usize, x: usize| f64::from(values[1 + y * side as usize + x]);
                    let along = |y: usize| column.iter().enumerate().map(|(x, weight)| weight * at(y, x)).sum::<f64>();
                    let expected: f64 = row.iter().enumerate().map(|(y, weight)| weight * along(y)).sum();
                    let found = result.double_value(&[0, (1 + r * columns.len() + c) as i64, 0]);
                    assert!((found - expected).abs() < 1e-5, "{side} to {wanted:?}: {found} for {expected}");
                }
            }
        }
    }

    #[test]
    fn other_shapes_are_left_alone() {
        let given = |size: &[i64]| Tensor::zeros(size, (Kind::Float, tch::Device::Cpu));
        for (from, to) in
            [([1, 17, 8], [1, 5, 4]), ([1, 16, 8], [1, 5, 8]), ([2, 17, 8], [1, 5, 8]), ([1, 17, 8], [1, 6, 8])]
        {
            assert!(resampled(&given(&from), &to, Size::square(32)).unwrap().is_none(), "{from:?} {to:?}");
        }
    }
}
