//! Weights and images that a few lines of Python make too, and comparison with what came out there.

use selfsame_encoder_api::{Encoder, ParameterKind};
use tch::Tensor;

/// An integer hash of the position and the tensor's number, uniform in [−0.5, 0.5).
pub fn noise(count: usize, tensor: u64) -> Tensor {
    let values: Vec<f64> = (0..count as u64)
        .map(|position| {
            let mut x = position.wrapping_mul(2_654_435_761).wrapping_add((tensor + 1) * 40_503 * 65_537) as u32;
            x ^= x >> 15;
            x = x.wrapping_mul(2_246_822_519);
            x ^= x >> 13;
            f64::from(x) / 2_f64.powi(32) - 0.5
        })
        .collect();
    Tensor::from_slice(&values)
}

/// Puts noise in place of all weights and running statistics, in float64, as a host puts in weights. Linear and
/// convolutional weights are noise times √(`square` / n) with the n that `fan` tells from a shape.
pub fn fill(encoder: &dyn Encoder, square: f64, fan: impl Fn(&[i64]) -> i64) {
    for (number, parameter) in (0..).zip(encoder.parameters()) {
        let mut tensor = parameter.tensor;
        let shape = tensor.size();
        let noise = noise(tensor.numel(), number).reshape(&shape);
        let value = match (parameter.kind, shape.len()) {
            (_, 2 | 4) => noise * (square / fan(&shape) as f64).sqrt(),
            (ParameterKind::Norm, _) => 1.0 + 0.5 * noise,
            _ => 0.5 * noise,
        };
        tensor.set_data(&value);
    }
    let statistics = encoder.buffers().into_iter().filter(|buffer| !buffer.name.ends_with("num_batches_tracked"));
    for (number, mut buffer) in (1000..).zip(statistics) {
        let noise = noise(buffer.tensor.numel(), number);
        let value = if buffer.name.ends_with("mean") { 0.2 * noise } else { 1.0 + noise };
        buffer.tensor.set_data(&value);
    }
}

/// Asserts that the first three elements and the last one are `expected`, within 1e-6, relative above 1.
pub fn assert_close(what: &str, actual: &Tensor, expected: [f64; 4]) {
    let flat = actual.detach().reshape([-1]);
    let positions = [0, 1, 2, flat.size()[0] - 1];
    for (position, expected) in positions.into_iter().zip(expected) {
        let actual = flat.double_value(&[position]);
        let error = (actual - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-6, "{what}[{position}]: {actual}, the reference {expected}");
    }
}
