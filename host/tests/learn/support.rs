//! Fixtures as tensors, and comparisons.

use serde_json::Value;
use tch::{Kind, Tensor};

/// A fixture file.
pub fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/learn/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All numbers of a nested list.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// A nested list as a float32 tensor.
pub fn tensor(value: &Value) -> Tensor {
    let mut shape = Vec::new();
    let mut inner = value;
    while let Value::Array(items) = inner {
        shape.push(items.len() as i64);
        inner = &items[0];
    }
    Tensor::from_slice(&numbers(value)).reshape(shape).to_kind(Kind::Float)
}

/// A list as int64 labels.
pub fn labels(value: &Value) -> Tensor {
    tensor(value).to_kind(Kind::Int64)
}

/// All elements.
pub fn elements(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.detach().flatten(0, -1).to_kind(Kind::Double)).unwrap()
}

/// Asserts that all elements agree within `tolerance`, absolute or relative, whichever is wider.
#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "element {i}: found {f}, expected {e}");
    }
}
