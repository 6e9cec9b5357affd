//! Fixtures as tensors, comparisons, and a small encoder.

use selfsame::config::Config;
use selfsame::config::schema::{MethodName, OptimizerName, ProjectionConfig};
use selfsame::method::{EmaEncoder, Method, StepContext};
use selfsame::model::{BatchNorm1d, Linear, Result, prefix_buffers, prefix_parameters};
use selfsame::optim::{Groups, Rates};
use selfsame_encoder_api::{Buffer, Encoder, Parameter};
use serde_json::Value;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

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

/// A nested list as a float64 tensor that learns.
pub fn leaf(value: &Value) -> Tensor {
    tensor(value).to_kind(Kind::Double).set_requires_grad(true)
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

/// Pixels to an embedding of length 6: linearly, then by batch norm with a counter of its training forwards where wanted.
pub struct Flat {
    linear: Linear,
    norm: Option<(BatchNorm1d, Tensor)>,
}

impl Flat {
    /// For images of 3×4×4 values.
    pub fn new(batch_norm: bool) -> Self {
        let norm = || (BatchNorm1d::new(6, Device::Cpu).unwrap(), Tensor::from(0_i64));
        Self { linear: Linear::new(3 * 4 * 4, 6, Device::Cpu).unwrap(), norm: batch_norm.then(norm) }
    }
}

impl Encoder for Flat {
    fn forward(&self, x: &Tensor, train: bool) -> selfsame_encoder_api::Result<Tensor> {
        let x = self.linear.forward(&x.flatten(1, -1)).unwrap();
        let Some((norm, count)) = &self.norm else { return Ok(x) };
        if train {
            let _ = count.shallow_clone().f_add_scalar_(1).unwrap();
        }
        Ok(norm.forward(&x, train).unwrap())
    }

    fn feature_dim(&self) -> usize {
        6
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = self.linear.parameters();
        parameters.extend(self.norm.iter().flat_map(|(norm, _)| prefix_parameters("norm", norm.parameters())));
        parameters
    }

    fn buffers(&self) -> Vec<Buffer> {
        let Some((norm, count)) = &self.norm else { return Vec::new() };
        let mut buffers = prefix_buffers("norm", norm.buffers());
        buffers.push(Buffer { name: "norm.count".into(), tensor: count.shallow_clone() });
        buffers
    }
}

/// A small run of a method, with Adam; batch norm in encoder and heads or nowhere.
pub fn small(name: MethodName, batch_norm: bool) -> Config {
    let mut config = Config::of(name);
    let layers = config.method.projection.layers;
    config.method.projection = ProjectionConfig { layers, hidden_dim: 16, output_dim: 8, batch_norm };
    config.method.byol.predictor_hidden_dim = 16;
    config.method.simsiam.predictor_hidden_dim = 16;
    config.method.moco_v2.queue_size = 30;
    config.method.moco_v2.momentum = 0.9;
    config.method.moco_v3.predictor_hidden_dim = 16;
    config.method.dino.prototypes = 20;
    config.optimizer.name = OptimizerName::Adam;
    config
}

/// The configured method around [`Flat`].
pub fn method(config: &Config) -> Box<dyn Method> {
    let batch_norm = config.method.projection.batch_norm;
    let encoder = || -> Result<Box<dyn Encoder>> { Ok(Box::new(Flat::new(batch_norm))) };
    let method = config.train.self_supervision.method.create(&config.method, &encoder, Device::Cpu).unwrap();
    match config.train.encoder_ema_decay {
        Some(decay) => Box::new(EmaEncoder::new(method, encoder().unwrap(), decay, true).unwrap()),
        None => method,
    }
}

/// A training step of a run of 60.
pub const TRAIN: StepContext = StepContext {
    seed: 1,
    step: 0,
    steps_per_epoch: 10,
    total_steps: 60,
    global_views: 2,
    train: true,
    autocast: None,
    loss_scale: 1.0,
};

/// The optimiser of a run.
pub fn optimizer(config: &Config, method: &dyn Method) -> Groups {
    Groups::new(&config.optimizer, method.parameter_groups()).unwrap()
}

/// A step of all groups with this learning rate and without weight decay.
pub fn update(optimizer: &mut Groups, lr: f64) {
    optimizer.step(Rates { lr, weight_decay: 0.0 }, lr).unwrap();
}

/// Twelve images with a little noise on each of two views.
pub fn views() -> Vec<Tensor> {
    let options = (Kind::Float, Device::Cpu);
    let images = Tensor::randn([12, 3, 4, 4], options);
    vec![&images + Tensor::randn([12, 3, 4, 4], options) * 0.1, &images + Tensor::randn([12, 3, 4, 4], options) * 0.1]
}

/// A copy of all that a method saves, by name.
pub fn saved(method: &dyn Method) -> BTreeMap<String, Tensor> {
    let parameters = method.parameters().into_iter().map(|p| (p.name, p.tensor));
    let all = parameters.chain(method.buffers().into_iter().map(|b| (b.name, b.tensor)));
    all.map(|(name, tensor)| (name, tensor.detach().copy())).collect()
}
