//! Embeddings in two dimensions.

use crate::model::Result;
use tch::{Device, Kind, Tensor};

/// Effective number of neighbours of a point.
const PERPLEXITY: f64 = 30.0;
const ITERATIONS: usize = 500;
/// Attractions are stronger by this factor in the first iterations, so that groups find together.
const EXAGGERATION: f64 = 12.0;
const EXAGGERATED: usize = 125;

/// The two directions in which rows `[N, D]` differ most: each row's place along them. Directions are turned so that the row
/// farthest from the mean along each has a positive value.
///
/// # Errors
/// What libtorch refuses.
pub fn principal_components(rows: &Tensor) -> Result<Vec<[f64; 2]>> {
    let rows = rows.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let centred = rows.f_sub(&rows.f_mean_dim([0].as_slice(), true, None)?)?;
    let (_, _, directions) = centred.f_svd(true, true)?;
    let count = directions.size()[1].min(2);
    let places = centred.f_matmul(&directions.f_narrow(1, 0, count)?)?;
    let values = Vec::<f64>::try_from(places.f_contiguous()?.f_flatten(0, -1)?)?;
    let mut points: Vec<[f64; 2]> =
        values.chunks(count as usize).map(|row| [row[0], row.get(1).copied().unwrap_or(0.0)]).collect();
    for axis in 0..2 {
        let farthest = points.iter().map(|point| point[axis]).max_by(|a, b| a.abs().total_cmp(&b.abs()));
        if farthest.is_some_and(|value| value < 0.0) {
            points.iter_mut().for_each(|point| point[axis] = -point[axis]);
        }
    }
    Ok(points)
}

/// t-SNE (van der Maaten & Hinton 2008) of rows `[N, D]` by squared Euclidean distance, started at their principal components, so
/// that the same rows give the same map. Perplexity 30, or a third of the rows where there are fewer than 90.
///
/// # Errors
/// What libtorch refuses.
pub fn t_sne(rows: &Tensor) -> Result<Vec<[f64; 2]>> {
    let mut points = principal_components(rows)?;
    let count = points.len();
    if count < 4 {
        return Ok(points);
    }
    let rows = rows.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let distances = Tensor::f_cdist(&rows, &rows, 2.0, None)?.f_square()?;
    let affinities = affinities(&Vec::<f64>::try_from(distances.f_contiguous()?.f_flatten(0, -1)?)?, count);
    // A small beginning, as the method asks for.
    let spread =
        (points.iter().map(|point| point[0].powi(2)).sum::<f64>() / count as f64).sqrt().max(f64::MIN_POSITIVE);
    points.iter_mut().for_each(|point| *point = point.map(|value| value / spread * 1e-2));
    let rate = (count as f64 / EXAGGERATION).max(50.0);
    let (mut speed, mut gains) = (vec![[0.0; 2]; count], vec![[1.0_f64; 2]; count]);
    for iteration in 0..ITERATIONS {
        let (attraction, momentum) = if iteration < EXAGGERATED { (EXAGGERATION, 0.5) } else { (1.0, 0.8) };
        let gradient = gradient(&points, &affinities, attraction);
        for point in 0..count {
            for axis in 0..2 {
                let (slope, speed, gain) = (gradient[point][axis], &mut speed[point][axis], &mut gains[point][axis]);
                *gain = if (slope > 0.0) == (*speed > 0.0) { (*gain * 0.8).max(0.01) } else { *gain + 0.2 };
                *speed = momentum * *speed - rate * *gain * slope;
                points[point][axis] += *speed;
            }
        }
    }
    Ok(points)
}

/// How much each pair belongs together, `[N × N]`, summing to 1: in each row a Gaussian of the perplexity, then symmetric.
fn affinities(distances: &[f64], count: usize) -> Vec<f64> {
    let entropy = PERPLEXITY.min((count - 1) as f64 / 3.0).max(1.0).ln();
    let mut conditional = vec![0.0; count * count];
    for (row, (given, own)) in distances.chunks(count).zip(conditional.chunks_mut(count)).enumerate() {
        let nearest = (0..count).filter(|at| *at != row).map(|at| given[at]).fold(f64::INFINITY, f64::min);
        let (mut low, mut high, mut precision) = (0.0, f64::INFINITY, 1.0);
        for _ in 0..100 {
            for at in 0..count {
                own[at] = if at == row { 0.0 } else { (-(given[at] - nearest) * precision).exp() };
            }
            let sum: f64 = own.iter().sum();
            own.iter_mut().for_each(|share| *share /= sum);
            let found: f64 = own.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum();
            if (found - entropy).abs() < 1e-5 {
                break;
            }
            (low, high) = if found > entropy { (precision, high) } else { (low, precision) };
            precision = if high.is_finite() { (low + high) / 2.0 } else { precision * 2.0 };
        }
    }
    let pair = |at: usize| conditional[at] + conditional[at % count * count + at / count];
    (0..count * count).map(|at| pair(at) / (2 * count) as f64).collect()
}

/// The gradient of the Kullback–Leibler divergence (equation 5 there).
fn gradient(points: &[[f64; 2]], affinities: &[f64], attraction: f64) -> Vec<[f64; 2]> {
    let count = points.len();
    let closeness = |a: [f64; 2], b: [f64; 2]| 1.0 / (1.0 + (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2));
    let total: f64 =
        points.iter().flat_map(|a| points.iter().map(move |b| closeness(*a, *b))).sum::<f64>() - count as f64;
    let of = |(row, own): (usize, &[f64; 2])| {
        let mut sum = [0.0; 2];
        for (other, given) in points.iter().zip(&affinities[row * count..(row + 1) * count]) {
            let close = closeness(*own, *other);
            let pull = 4.0 * (attraction * given - close / total) * close;
            sum = [sum[0] + pull * (own[0] - other[0]), sum[1] + pull * (own[1] - other[1])];
        }
        sum
    };
    points.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three groups of 20 rows in ten dimensions, far apart.
    fn groups() -> Tensor {
        let noise = (Tensor::arange(600, (Kind::Double, Device::Cpu)) * 1.7).sin().view([60, 10]);
        let centres = Tensor::eye(10, (Kind::Double, Device::Cpu)).narrow(0, 0, 3) * 20.0;
        noise + centres.repeat_interleave_self_int(20, 0, 60)
    }

    #[test]
    fn principal_components_are_those_of_a_plane() {
        // Points of a plane with variances 9 and 1 along its axes, which are directions of four dimensions.
        let rows = Tensor::from_slice(&[3.0, 0.0, -3.0, 0.0, 0.0, 1.0, 0.0, -1.0]).view([4, 2]);
        let axes = Tensor::from_slice(&[0.6, 0.8, 0.0, 0.0, 0.0, 0.0, 0.6, 0.8]).view([2, 4]);
        let points = principal_components(&(rows.matmul(&axes) + 5.0)).unwrap();
        for (point, expected) in points.iter().zip([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]]) {
            // A direction may be turned round.
            assert!((0..2).all(|axis| (point[axis].abs() - f64::abs(expected[axis])).abs() < 1e-9), "{points:?}");
        }
        assert_eq!(
            principal_components(&Tensor::from_slice(&[1.0, 3.0]).view([2, 1])).unwrap(),
            [[-1.0, 0.0], [1.0, 0.0]]
        );
    }

    #[test]
    fn the_affinities_have_the_perplexity_and_sum_to_one() {
        let rows = groups();
        let distances = Vec::<f64>::try_from(Tensor::cdist(&rows, &rows, 2.0, None).square().flatten(0, -1)).unwrap();
        let affinities = affinities(&distances, 60);
        assert!((affinities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((0..60).all(|row| affinities[row * 61] == 0.0));
        assert!((0..3600).all(|at| (affinities[at] - affinities[at % 60 * 60 + at / 60]).abs() < 1e-12));
    }

    #[test]
    fn t_sne_keeps_groups_together_and_is_the_same_twice() {
        let points = t_sne(&groups()).unwrap();
        assert_eq!(points, t_sne(&groups()).unwrap());
        let distance = |a: usize, b: usize| (points[a][0] - points[b][0]).hypot(points[a][1] - points[b][1]);
        for a in 0..60 {
            let nearest =
                (0..60).filter(|b| *b != a).min_by(|b, c| distance(a, *b).total_cmp(&distance(a, *c))).unwrap();
            assert_eq!(a / 20, nearest / 20, "row {a} lies beside row {nearest}");
        }
    }
}
