//! Fixtures and images for the tests of the augmentations.

use selfsame::augment::draw::{Draws, Sample};
use selfsame::augment::{Purpose, ViewKey};
use selfsame::data::{Images, Size};
use serde_json::Value;
use tch::{Kind, Tensor};

pub const KEY: ViewKey = ViewKey { seed: 3, epoch: 1, purpose: Purpose::View(0) };

pub fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/augment/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

pub fn counts(value: &Value) -> Vec<usize> {
    floats(value).into_iter().map(|v| v as usize).collect()
}

pub fn flags(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect()
}

pub fn tensor(value: &Value) -> Tensor {
    let shape: Vec<i64> = floats(&value["shape"]).into_iter().map(|v| v as i64).collect();
    Tensor::from_slice(&floats(&value["values"])).to_kind(Kind::Float).reshape(shape)
}

pub fn pixels(value: &Value) -> Tensor {
    tensor(value).to_kind(Kind::Uint8)
}

pub fn unit(images: &Tensor) -> Tensor {
    images.to_kind(Kind::Float) / 255.0
}

pub fn assert_close(name: &str, got: &Tensor, expected: &Tensor) {
    assert_eq!(got.size(), expected.size(), "{name}");
    let error = f64::try_from((got - expected).abs().max()).unwrap();
    assert!(error < 1e-5, "{name}: off by {error}");
}

pub fn whole(pixels: &Tensor) -> Images {
    Images::whole(pixels.shallow_clone())
}

/// The size of the images in a tensor `[B, C, H, W]`.
pub fn size_of(images: &Tensor) -> Size {
    Size { height: images.size()[2] as usize, width: images.size()[3] as usize }
}

/// Fixed images, uint8 `[batch, channels, height, width]`: the position times a large prime, its middle bits.
pub fn noise(batch: i64, channels: i64, height: i64, width: i64) -> Tensor {
    let n = (1..=batch * channels * height * width).map(|i| ((i * 2_654_435_761) >> 13) as u8);
    Tensor::from_slice(&n.collect::<Vec<_>>()).reshape([batch, channels, height, width])
}

/// How often something happens in 4000 draws, which must be within five standard errors of `p`.
pub fn assert_frequency(name: &str, p: f64, mut happens: impl FnMut(&mut Sample) -> bool) {
    let draws = Draws::new(KEY, name);
    let share = (0..4000).filter(|&id| happens(&mut draws.sample(id))).count() as f64 / 4000.0;
    assert!((share - p).abs() <= 5.0 * (p * (1.0 - p) / 4000.0).sqrt(), "{name}: {share} against {p}");
}
