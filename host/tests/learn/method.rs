use crate::support::elements;
use selfsame::config::Config;
use selfsame::config::schema::{LinearHeadConfig, OptimizerName, ProjectionConfig};
use selfsame::method::{self, Method, StepContext};
use selfsame::model::{Linear, ProjectionHead, Result};
use selfsame::optim;
use selfsame::probe::LinearHead;
use selfsame_plugin_api::{Buffer, Encoder, Parameter, ParameterKind, Task};
use tch::{Device, Kind, Tensor};

const TRAIN: StepContext = StepContext { step: 0, total_steps: 60, train: true, autocast: false };

/// Pixels to an embedding of length 6, linearly.
struct Flat(Linear);

impl Encoder for Flat {
    fn forward(&self, x: &Tensor, _train: bool) -> selfsame_plugin_api::Result<Tensor> {
        Ok(self.0.forward(&x.flatten(1, -1)).unwrap())
    }

    fn feature_dim(&self) -> usize {
        6
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.0.parameters()
    }

    fn buffers(&self) -> Vec<Buffer> {
        Vec::new()
    }
}

fn simclr(batch_norm: bool) -> (Config, Box<dyn Method>) {
    let mut config = Config::default();
    config.method.projection = ProjectionConfig { layers: 2, hidden_dim: 16, output_dim: 8, batch_norm };
    config.optimizer.name = OptimizerName::Adam;
    let encoder = || -> Result<Box<dyn Encoder>> { Ok(Box::new(Flat(Linear::new(3 * 4 * 4, 6, Device::Cpu)?))) };
    let method = method::create(&config, encoder, Device::Cpu).unwrap();
    (config, method)
}

/// Twelve images with a little noise on each of two views.
fn views() -> [Tensor; 2] {
    let options = (Kind::Float, Device::Cpu);
    let images = Tensor::randn([12, 3, 4, 4], options);
    [&images + Tensor::randn([12, 3, 4, 4], options) * 0.1, &images + Tensor::randn([12, 3, 4, 4], options) * 0.1]
}

#[test]
fn training_reduces_the_loss() {
    let (config, mut method) = simclr(true);
    let mut optimizer = optim::create(&config.optimizer, method.parameters()).unwrap();
    let views = views();
    let mut losses = Vec::new();
    for step in 0..60 {
        let output = method.step(&views, &StepContext { step, ..TRAIN }).unwrap();
        optimizer.zero_grad();
        output.loss.backward();
        optimizer.step(0.01).unwrap();
        losses.push(output.loss.double_value(&[]));
    }
    assert!(losses[59] < 0.8 * losses[0], "from {} to {}", losses[0], losses[59]);
}

#[test]
fn every_parameter_gets_a_gradient_and_a_prefixed_name() {
    let (_, mut method) = simclr(true);
    method.step(&views(), &TRAIN).unwrap().loss.backward();
    let names: Vec<_> = method.parameters().into_iter().map(|p| p.name).collect();
    let head = ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"].map(|n| format!("projection.{n}"));
    assert_eq!(names[..2], ["encoder.weight", "encoder.bias"]);
    assert_eq!(names[2..], head);
    assert!(method.parameters().iter().all(|p| p.tensor.grad().defined()));
    let buffers: Vec<_> = method.buffers().into_iter().map(|b| b.name).collect();
    assert_eq!(buffers, ["projection.1.running_mean", "projection.1.running_var"]);
}

#[test]
fn features_are_the_encoders_own_embedding_of_both_views() {
    let (_, mut method) = simclr(false);
    let views = views();
    let output = method.step(&views, &TRAIN).unwrap();
    assert!(output.loss.requires_grad() && !output.features.requires_grad());
    assert_eq!(output.features.size(), [24, 6]);
    let second = method.encoder().forward(&views[1], false).unwrap();
    assert!(output.features.narrow(0, 12, 12).allclose(&second, 1e-5, 1e-6, false));
}

#[test]
fn the_validation_loss_leaves_no_trace() {
    let (_, mut method) = simclr(true);
    let before: Vec<_> = method.buffers().iter().map(|b| elements(&b.tensor)).collect();
    let context = StepContext { train: false, ..TRAIN };
    let views = views();
    let first = method.step(&views, &context).unwrap();
    let second = method.step(&views, &context).unwrap();
    assert!(!first.loss.requires_grad());
    assert_eq!(elements(&first.loss), elements(&second.loss));
    assert_eq!(before, method.buffers().iter().map(|b| elements(&b.tensor)).collect::<Vec<_>>());
}

#[test]
fn batch_norm_moves_its_running_statistics_as_pytorch_does() {
    // PyTorch: running ← 0.9·running + 0.1·batch, with the unbiased variance of the batch.
    let norm = selfsame::model::BatchNorm1d::new(1, Device::Cpu).unwrap();
    let x = Tensor::from_slice(&[1.0_f32, 2.0, 6.0]).unsqueeze(1);
    let y = norm.forward(&x, true).unwrap();
    let running: Vec<f64> = norm.buffers().iter().flat_map(|b| elements(&b.tensor)).collect();
    crate::support::assert_close(&running, &[0.3, 0.9 + 0.1 * 7.0], 1e-6);
    // The batch itself is normalised by mean 3 and the biased variance 14/3.
    let sd = (14.0_f64 / 3.0).sqrt();
    crate::support::assert_close(&elements(&y), &[-2.0 / sd, -1.0 / sd, 3.0 / sd], 1e-5);
}

#[test]
fn linear_layers_start_within_pytorchs_bounds() {
    let layer = Linear::new(400, 300, Device::Cpu).unwrap();
    for parameter in layer.parameters() {
        let values = elements(&parameter.tensor);
        let largest = values.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        assert!(largest <= 0.05 + 1e-6 && largest > 0.045, "{}: {largest}", parameter.name);
        // The variance of U(−b, b) is b²/3.
        let variance = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!((variance / (0.05 * 0.05 / 3.0) - 1.0).abs() < 0.3, "{}: {variance}", parameter.name);
    }
}

#[test]
fn kinds_of_the_head_follow_what_a_parameter_is() {
    let config = ProjectionConfig { layers: 2, hidden_dim: 4, output_dim: 2, batch_norm: true };
    let head = ProjectionHead::new(3, &config, Device::Cpu).unwrap();
    let kinds: Vec<_> = head.parameters().iter().map(|p| p.kind).collect();
    use ParameterKind::{Bias, Norm, Weight};
    assert_eq!(kinds, [Weight, Bias, Norm, Bias, Weight, Bias]);
}

#[test]
fn the_linear_head_leaves_the_encoder_alone() {
    let encoder = Flat(Linear::new(48, 6, Device::Cpu).unwrap());
    let mut head = LinearHead::new(&LinearHeadConfig::default(), Task::Multiclass, 6, 3, None, Device::Cpu).unwrap();
    let features = encoder.forward(&views()[0], true).unwrap();
    assert!(features.requires_grad());
    head.train_step(&features, &(Tensor::arange(12, (Kind::Int64, Device::Cpu)).remainder(3))).unwrap();
    assert!(encoder.parameters().iter().all(|p| !p.tensor.grad().defined()));
    assert!(head.parameters().iter().all(|p| p.tensor.grad().defined()));
}

#[test]
fn errors_of_libtorch_come_without_a_backtrace() {
    let layer = Linear::new(3, 2, Device::Cpu).unwrap();
    let error = layer.forward(&Tensor::zeros([2, 5], (Kind::Float, Device::Cpu))).unwrap_err().to_string();
    assert!(error.starts_with("libtorch: ") && !error.contains("Exception raised"), "{error}");
}
