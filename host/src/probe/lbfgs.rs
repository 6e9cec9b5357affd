//! Minimising a smooth convex function with limited-memory BFGS (Nocedal & Wright 2006, algorithms 7.4 and 3.1).

use crate::model::Result;
use std::collections::VecDeque;
use tch::Tensor;

const MEMORY: usize = 10;
const MAX_ITERATIONS: usize = 300;
/// The largest partial derivative at which the minimum counts as found.
const TOLERANCE: f64 = 1e-5;
/// The share of the predicted decrease that a step must bring.
const SUFFICIENT: f64 = 1e-4;
const MAX_HALVINGS: usize = 25;

/// The minimum of `function`, which returns value and gradient at a point of the shape of `start` (`[P]`).
///
/// Ends where no partial derivative exceeds 1e-5, where no step goes down any more (the precision of float32), or after
/// 300 iterations.
///
/// # Errors
/// What `function` refuses.
pub fn minimize(start: &Tensor, mut function: impl FnMut(&Tensor) -> Result<(f64, Tensor)>) -> Result<Tensor> {
    let mut point = start.f_detach_copy()?;
    let (mut value, mut gradient) = function(&point)?;
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    for _ in 0..MAX_ITERATIONS {
        let _no_grad = tch::no_grad_guard();
        if number(&gradient.f_abs()?.f_max()?)? <= TOLERANCE {
            break;
        }
        let direction = descent(&gradient, &pairs)?;
        let slope = dot(&direction, &gradient)?;
        let mut step = if pairs.is_empty() { 1.0 / number(&gradient.f_norm()?)?.max(1.0) } else { 1.0 };
        let mut found = None;
        for _ in 0..MAX_HALVINGS {
            let candidate = point.f_add(&direction.f_mul_scalar(step)?)?;
            let (next, next_gradient) = tch::with_grad(|| function(&candidate))?;
            if next <= value + SUFFICIENT * step * slope {
                found = Some((candidate, next, next_gradient));
                break;
            }
            step *= 0.5;
        }
        let Some((candidate, next, next_gradient)) = found else { break };
        let (s, y) = (candidate.f_sub(&point)?, next_gradient.f_sub(&gradient)?);
        let curvature = dot(&s, &y)?;
        if curvature > 1e-10 * dot(&y, &y)? {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back(Pair { s, y, curvature });
        }
        (point, value, gradient) = (candidate, next, next_gradient);
    }
    Ok(point)
}

/// A step, the change of the gradient over it, and their scalar product.
struct Pair {
    s: Tensor,
    y: Tensor,
    curvature: f64,
}

/// −H·gradient, H approximating the inverse Hessian from the last steps (the two-loop recursion).
fn descent(gradient: &Tensor, pairs: &VecDeque<Pair>) -> Result<Tensor> {
    let mut q = gradient.f_neg()?;
    let mut alphas = Vec::with_capacity(pairs.len());
    for Pair { s, y, curvature } in pairs.iter().rev() {
        let alpha = dot(s, &q)? / curvature;
        q = q.f_sub(&y.f_mul_scalar(alpha)?)?;
        alphas.push(alpha);
    }
    if let Some(Pair { y, curvature, .. }) = pairs.back() {
        q = q.f_mul_scalar(curvature / dot(y, y)?)?;
    }
    for (Pair { s, y, curvature }, alpha) in pairs.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(y, &q)? / curvature;
        q = q.f_add(&s.f_mul_scalar(alpha - beta)?)?;
    }
    Ok(q)
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    number(&a.f_dot(b)?)
}

fn number(x: &Tensor) -> Result<f64> {
    Ok(x.f_double_value(&[])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn the_minimum_of_a_stretched_bowl_is_found() {
        // Σ kᵢ (xᵢ − i)², curvatures from 1 to 1000.
        let (k, centre) =
            (Tensor::from_slice(&[1.0_f32, 10.0, 100.0, 1000.0]), Tensor::arange(4, (Kind::Float, tch::Device::Cpu)));
        let function = |x: &Tensor| {
            let away = x - &centre;
            Ok(((&k * &away * &away).sum(Kind::Double).double_value(&[]), 2.0 * &k * &away))
        };
        let found = minimize(&Tensor::zeros(4, (Kind::Float, tch::Device::Cpu)), function).unwrap();
        assert!((found - centre).abs().max().double_value(&[]) < 1e-4);
    }
}
