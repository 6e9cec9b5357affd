//! Alone in its process: libtorch's generator is one for all threads, and other tests would draw from it in between.

#![allow(clippy::unwrap_used)]

use selfsame::config::Config;
use selfsame::config::schema::{MethodName, ProjectionConfig};
use selfsame::method::{StepContext, Together, cached_gradient_step};
use selfsame::model::Result;
use selfsame_encoder_api::{Buffer, Encoder, Parameter, ParameterKind};
use std::sync::{Arc, Mutex};
use tch::{Device, Kind, Tensor};

/// Passes its input on with half of it dropped, and remembers what came out.
struct Dropout {
    weight: Tensor,
    seen: Arc<Mutex<Vec<Tensor>>>,
}

impl Encoder for Dropout {
    fn forward(&self, x: &Tensor, train: bool) -> selfsame_encoder_api::Result<Tensor> {
        let y = (x.flatten(1, -1) * &self.weight).dropout(0.5, train);
        self.seen.lock().unwrap().push(y.detach());
        Ok(y)
    }

    fn feature_dim(&self) -> usize {
        48
    }

    fn parameters(&self) -> Vec<Parameter> {
        let tensor = self.weight.shallow_clone();
        vec![Parameter { name: "weight".into(), kind: ParameterKind::Weight, tensor }]
    }

    fn buffers(&self) -> Vec<Buffer> {
        Vec::new()
    }
}

#[test]
fn dropout_repeats_in_the_second_pass() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let options = (Kind::Float, Device::Cpu);
    let encoder = || -> Result<Box<dyn Encoder>> {
        let weight = Tensor::ones([48], options).set_requires_grad(true);
        Ok(Box::new(Dropout { weight, seen: seen.clone() }))
    };
    let mut config = Config::of(MethodName::Simclr);
    config.method.projection = ProjectionConfig { layers: 2, hidden_dim: 16, output_dim: 8, batch_norm: false };
    let mut method = MethodName::Simclr.create(&config.method, &encoder, Device::Cpu).unwrap();

    let views = [Tensor::randn([12, 3, 4, 4], options), Tensor::randn([12, 3, 4, 4], options)];
    let piece = |index: usize| -> Result<_> {
        tch::manual_seed(index as i64);
        Ok(views.iter().map(|view| view.narrow(0, 6 * index as i64, 6)).collect())
    };
    let context = StepContext {
        seed: 1,
        step: 3,
        steps_per_epoch: 10,
        total_steps: 60,
        global_views: 2,
        train: true,
        autocast: None,
        loss_scale: 1.0,
    };
    cached_gradient_step(method.as_mut(), 2, piece, &context, &mut Together::alone()).unwrap();

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[..2], seen[2..]);
    assert_ne!(seen[0], seen[1]);
    assert!(seen[0].eq(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]) > 0.3);
}
