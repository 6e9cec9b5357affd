//! Stochastic gradient descent with momentum.

use super::{Optimizer, Rates, drop_gradients, gradients, pick, split_weights, state};
use crate::model::Result;
use crate::native::lists::{foreach_add_, foreach_mul_};
use selfsame_encoder_api::Parameter;
use std::collections::BTreeMap;
use tch::Tensor;

/// PyTorch's SGD without dampening: m ← μ·m + (g + λ·p), then p ← p − lr·m, or with Nesterov's momentum
/// p ← p − lr·(g + λ·p + μ·m).
#[derive(Debug)]
pub struct Sgd {
    parameters: Vec<Parameter>,
    momentum: Vec<Tensor>,
    mu: f64,
    nesterov: bool,
}

impl Sgd {
    /// With zero momentum buffers.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(parameters: Vec<Parameter>, mu: f64, nesterov: bool) -> Result<Self> {
        let momentum = state::zeros(&parameters)?;
        Ok(Self { parameters, momentum, mu, nesterov })
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, Rates { lr, weight_decay }: Rates) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let (indices, g) = gradients(&self.parameters)?;
        let mut p = pick(&indices, |i| &self.parameters[i].tensor);
        let mut m = pick(&indices, |i| &self.momentum[i]);
        foreach_mul_(&mut m, self.mu)?;
        foreach_add_(&mut m, &g, 1.0)?;
        if weight_decay != 0.0 {
            let (weights, _) = split_weights(&self.parameters, &indices);
            let mut p = pick(&weights, |n| &p[n]);
            foreach_add_(&mut pick(&weights, |n| &m[n]), &p, weight_decay)?;
            if self.nesterov {
                foreach_mul_(&mut p, 1.0 - lr * weight_decay)?;
            }
        }
        if self.nesterov {
            foreach_add_(&mut p, &g, -lr)?;
            foreach_add_(&mut p, &m, -lr * self.mu)?;
        } else {
            foreach_add_(&mut p, &m, -lr)?;
        }
        Ok(())
    }

    fn zero_grad(&mut self) {
        drop_gradients(&self.parameters);
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        state::named("momentum", &self.parameters, &self.momentum)
    }

    fn load_state(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<()> {
        state::copy(saved, self.state())
    }
}
