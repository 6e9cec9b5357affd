//! Stochastic gradient descent with momentum.

use super::{Optimizer, gradient, is_weight, scalar_like, state};
use crate::model::Result;
use selfsame_plugin_api::Parameter;
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
    weight_decay: f64,
}

impl Sgd {
    /// With zero momentum buffers.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(parameters: Vec<Parameter>, mu: f64, nesterov: bool, weight_decay: f64) -> Result<Self> {
        let momentum = state::zeros(&parameters)?;
        Ok(Self { parameters, momentum, mu, nesterov, weight_decay })
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, lr: f64) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let Some(first) = self.parameters.first() else { return Ok(()) };
        let decay = scalar_like(&first.tensor, self.weight_decay)?;
        let minus_lr = scalar_like(&first.tensor, -lr)?;
        let minus_lr_mu = scalar_like(&first.tensor, -lr * self.mu)?;
        for (parameter, m) in self.parameters.iter_mut().zip(&mut self.momentum) {
            let Some(g) = gradient(parameter)? else { continue };
            let decayed = is_weight(parameter) && self.weight_decay != 0.0;
            let p = &mut parameter.tensor;
            let _ = m.f_mul_scalar_(self.mu)?.f_add_(&g)?;
            if decayed {
                let _ = m.f_addcmul_(p, &decay)?;
            }
            if self.nesterov {
                if decayed {
                    let _ = p.f_mul_scalar_(1.0 - lr * self.weight_decay)?;
                }
                let _ = p.f_addcmul_(&g, &minus_lr)?;
                let _ = p.f_addcmul_(m, &minus_lr_mu)?;
            } else {
                let _ = p.f_addcmul_(m, &minus_lr)?;
            }
        }
        Ok(())
    }

    fn zero_grad(&mut self) {
        self.parameters.iter_mut().for_each(|p| p.tensor.zero_grad());
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        state::named("momentum", &self.parameters, &self.momentum)
    }

    fn load_state(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<()> {
        state::copy(saved, self.state())
    }
}
