//! Minimising a smooth convex function with limited-memory BFGS (Nocedal & Wright 2006, algorithms 7.4 and 3.1).
//!
//! The two-loop recursion needs scalar products of the last steps and gradients alone, so it runs on the host in numbers of 64
//! bits (Chen, Wang & Zhou 2014, "Large-scale L-BFGS using MapReduce"): vectors stay on their device, which is read once
//! for each point that is tried.

use crate::model::Result;
use std::collections::VecDeque;
use tch::{Kind, Tensor};

const MEMORY: usize = 10;
const MAX_ITERATIONS: usize = 300;
/// The share of the predicted decrease that a step must bring.
const SUFFICIENT: f64 = 1e-4;
const MAX_HALVINGS: usize = 25;

/// A function at a point, on the point's device.
pub struct Evaluation {
    /// The value is the sum of these scalars, each times its factor.
    pub terms: Vec<(f64, Tensor)>,
    /// `[P]`.
    pub gradient: Tensor,
}

/// The minimum of `function`, which is given points float32 `[P]`, as `start` is.
///
/// Ends where no partial derivative exceeds `tolerance`, where no step goes down any more (the precision of float32), or after
/// 300 iterations.
///
/// # Errors
/// What `function` refuses; anything libtorch refuses.
pub fn minimize(start: &Tensor, tolerance: f64, function: impl FnMut(&Tensor) -> Result<Evaluation>) -> Result<Tensor> {
    let _no_grad = tch::no_grad_guard();
    let mut point = start.f_detach()?.f_to_kind(Kind::Double)?;
    let mut vectors = Vectors::new(&point, function)?;
    let mut value = vectors.try_point(&point, None)?;
    for _ in 0..MAX_ITERATIONS {
        if vectors.steepest <= tolerance {
            break;
        }
        let Some((next, lower)) = vectors.go_down(&point, value)? else { break };
        (point, value) = (next, lower);
    }
    Ok(point.f_to_kind(Kind::Float)?)
}

/// Pairs of a step and the change of the gradient over it that there is room for: those remembered, and the one that is tried.
const PAIRS: usize = MEMORY + 1;
/// Rows of vectors: of pair p the step at 2p and the change at 2p + 1, then two gradients, the present one and the tried one.
const ROWS: usize = 2 * PAIRS + 2;

/// The vectors that a direction is made of, and their scalar products.
struct Vectors<F> {
    function: F,
    /// Float64 `[ROWS, P]`.
    rows: Tensor,
    products: [[f64; ROWS]; ROWS],
    /// The remembered pairs, oldest first.
    remembered: VecDeque<usize>,
    /// The room of the pair that is tried next.
    spare: usize,
    /// The row of the gradient at the present point.
    gradient: usize,
    /// The largest partial derivative at the point tried last.
    steepest: f64,
}

impl<F: FnMut(&Tensor) -> Result<Evaluation>> Vectors<F> {
    fn new(point: &Tensor, function: F) -> Result<Self> {
        let rows = Tensor::f_zeros([ROWS as i64, point.size1()?], (Kind::Double, point.device()))?;
        let products = [[0.0; ROWS]; ROWS];
        let (remembered, gradient) = (VecDeque::with_capacity(PAIRS), ROWS - 2);
        Ok(Self { function, rows, products, remembered, spare: 0, gradient, steepest: f64::INFINITY })
    }

    fn row(&self, row: usize) -> Result<Tensor> {
        Ok(self.rows.f_select(0, row as i64)?)
    }

    /// The row of the gradient at the point that is tried.
    fn tried_gradient(&self) -> usize {
        2 * PAIRS + (ROWS - 1 - self.gradient)
    }

    /// A point below `point`, where the value is `value`, and its value; none where no step goes down.
    fn go_down(&mut self, point: &Tensor, value: f64) -> Result<Option<(Tensor, f64)>> {
        let factors = self.descent();
        let slope: f64 =
            factors.iter().zip(&self.products[self.gradient]).map(|(factor, product)| factor * product).sum();
        let factors = Tensor::f_from_slice(&factors)?.f_to_device(self.rows.device())?;
        let direction = self.rows.f_tr()?.f_mv(&factors)?;
        let length = self.products[self.gradient][self.gradient].sqrt();
        let mut step = if self.remembered.is_empty() { 1.0 / length.max(1.0) } else { 1.0 };
        for _ in 0..MAX_HALVINGS {
            let candidate = match step {
                1.0 => point.f_add(&direction)?,
                shorter => point.f_add(&direction.f_mul_scalar(shorter)?)?,
            };
            let lower = self.try_point(&candidate, Some(point))?;
            if lower <= value + SUFFICIENT * step * slope {
                self.gradient = self.tried_gradient();
                self.remember();
                return Ok(Some((candidate, lower)));
            }
            step *= 0.5;
        }
        Ok(None)
    }

    /// The value at a point. Its gradient, and the pair that leads to it from `before`, take their rows; without `before` it is
    /// the first point.
    fn try_point(&mut self, point: &Tensor, before: Option<&Tensor>) -> Result<f64> {
        let Evaluation { terms, gradient } = (self.function)(&point.f_to_kind(Kind::Float)?)?;
        let at = if before.is_some() { self.tried_gradient() } else { self.gradient };
        let pair = 2 * self.spare;
        self.row(at)?.f_copy_(&gradient)?;
        if let Some(before) = before {
            let _ = point.f_sub_out(&self.row(pair)?, before)?;
            let _ = self.row(at)?.f_sub_out(&self.row(pair + 1)?, &self.row(self.gradient)?)?;
        }
        let pairs = self.rows.f_narrow(0, pair as i64, 2)?.f_mm(&self.rows.f_tr()?)?;
        let gradients = self.rows.f_mv(&self.row(at)?)?;
        let steepest = gradient.f_linalg_norm(f64::INFINITY, None::<i64>, false, Kind::Float)?;
        let values = terms.iter().map(|(_, value)| value).chain([&steepest]).map(|value| value.f_view(1));
        let values = values.collect::<std::result::Result<Vec<_>, _>>()?;
        let all =
            Tensor::f_cat(&[Tensor::f_cat(&values, 0)?.f_to_kind(Kind::Double)?, pairs.f_view(-1)?, gradients], 0)?;
        let read = Vec::<f64>::try_from(&all)?;
        let (values, products) = read.split_at(values.len());
        for (row, products) in [pair, pair + 1, at].into_iter().zip(products.chunks_exact(ROWS)) {
            self.products[row].copy_from_slice(products);
            (0..ROWS).for_each(|other| self.products[other][row] = products[other]);
        }
        self.steepest = values[terms.len()];
        Ok(terms.iter().zip(values).map(|((factor, _), value)| factor * value).sum())
    }

    /// Takes the pair that was tried among the remembered ones, unless it says nothing of the curvature.
    fn remember(&mut self) {
        let (s, y) = (2 * self.spare, 2 * self.spare + 1);
        if self.products[s][y] <= 1e-10 * self.products[y][y] {
            return;
        }
        self.remembered.push_back(self.spare);
        self.spare = match self.remembered.len() {
            PAIRS => self.remembered.pop_front().unwrap_or_default(),
            free => free,
        };
    }

    /// −H·gradient as factors of the rows, H approximating the inverse Hessian from the remembered pairs.
    fn descent(&self) -> [f64; ROWS] {
        let mut factors = [0.0; ROWS];
        factors[self.gradient] = -1.0;
        let dot = |row: usize, factors: &[f64; ROWS]| -> f64 {
            self.products[row].iter().zip(factors).map(|(product, factor)| product * factor).sum()
        };
        let curvature = |pair: usize| self.products[2 * pair][2 * pair + 1];
        let mut alphas = Vec::with_capacity(MEMORY);
        for &pair in self.remembered.iter().rev() {
            let alpha = dot(2 * pair, &factors) / curvature(pair);
            factors[2 * pair + 1] -= alpha;
            alphas.push(alpha);
        }
        if let Some(&last) = self.remembered.back() {
            let scale = curvature(last) / self.products[2 * last + 1][2 * last + 1];
            factors.iter_mut().for_each(|factor| *factor *= scale);
        }
        for (&pair, alpha) in self.remembered.iter().zip(alphas.into_iter().rev()) {
            factors[2 * pair] += alpha - dot(2 * pair + 1, &factors) / curvature(pair);
        }
        factors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Σ kᵢ (xᵢ − i)².
    fn bowl(k: &[f32]) -> (Tensor, impl FnMut(&Tensor) -> Result<Evaluation>) {
        let (k, centre) = (Tensor::from_slice(k), Tensor::arange(k.len() as i64, (Kind::Float, Device::Cpu)));
        let function = {
            let centre = centre.shallow_clone();
            move |x: &Tensor| {
                let away = x - &centre;
                let terms = vec![(0.5, 2.0 * (&k * &away * &away).sum(Kind::Float))];
                Ok(Evaluation { terms, gradient: 2.0 * &k * &away })
            }
        };
        (centre, function)
    }

    #[test]
    fn the_minimum_of_a_stretched_bowl_is_found() {
        // Curvatures from 1 to 1000, and more directions than pairs that are remembered.
        let many: Vec<f32> = (0..40).map(|i| 1.1f32.powi(i)).collect();
        for k in [vec![1.0, 10.0, 100.0, 1000.0], many] {
            let (centre, function) = bowl(&k);
            let found = minimize(&centre.zeros_like(), 1e-5, function).unwrap();
            assert!((found - centre).abs().max().double_value(&[]) < 1e-4);
        }
    }

    #[test]
    fn each_point_of_a_bowl_is_tried_once_or_nearly_so() {
        let (centre, mut function) = bowl(&[1.0, 10.0, 100.0, 1000.0]);
        let mut tried = 0;
        let counted = |x: &Tensor| {
            tried += 1;
            function(x)
        };
        let _ = minimize(&centre.zeros_like(), 1e-5, counted).unwrap();
        // SciPy's L-BFGS-B needs 11 on this function.
        assert!(tried <= 22, "{tried}");
    }

    #[test]
    fn a_minimum_is_left_as_it_is() {
        let (centre, function) = bowl(&[3.0, 1.0]);
        assert_eq!(minimize(&centre, 1e-5, function).unwrap(), centre);
    }
}
