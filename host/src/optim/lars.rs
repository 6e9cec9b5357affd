//! Layer-wise adaptive rate scaling (You et al. 2017).

use super::{Optimizer, gradient, is_weight, scalar_like, state};
use crate::model::Result;
use selfsame_plugin_api::Parameter;
use std::collections::BTreeMap;
use tch::Tensor;

const EPS: f64 = 1e-8;

/// LARS in the form most used today: the decayed gradient is scaled, then SGD with momentum takes the step. For a
/// weight, r = η‖p‖ / (‖g‖ + λ‖p‖ + 1e-8), or 1 where ‖p‖ or ‖g‖ is 0; m ← μ·m + r·(g + λ·p); p ← p − lr·m.
/// Everything else is neither decayed nor scaled: m ← μ·m + g.
///
/// You et al. multiply by the learning rate before the momentum; the two forms differ only where the rate changes.
#[derive(Debug)]
pub struct Lars {
    parameters: Vec<Parameter>,
    momentum: Vec<Tensor>,
    mu: f64,
    eta: f64,
    weight_decay: f64,
}

impl Lars {
    /// With zero momentum buffers; `eta` is the trust coefficient η.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(parameters: Vec<Parameter>, mu: f64, eta: f64, weight_decay: f64) -> Result<Self> {
        let momentum = state::zeros(&parameters)?;
        Ok(Self { parameters, momentum, mu, eta, weight_decay })
    }

    /// r, a scalar on the parameter's device.
    fn trust_ratio(&self, p: &Tensor, g: &Tensor) -> Result<Tensor> {
        let (p_norm, g_norm) = (p.f_norm()?, g.f_norm()?);
        let denominator = p_norm.f_mul_scalar(self.weight_decay)?.f_add(&g_norm)?.f_add_scalar(EPS)?;
        let ratio = p_norm.f_mul_scalar(self.eta)?.f_div(&denominator)?;
        let both = p_norm.f_gt(0.0)?.f_logical_and(&g_norm.f_gt(0.0)?)?;
        Ok(ratio.f_where_scalarother(&both, 1.0)?)
    }
}

impl Optimizer for Lars {
    fn step(&mut self, lr: f64) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let Some(first) = self.parameters.first() else { return Ok(()) };
        let minus_lr = scalar_like(&first.tensor, -lr)?;
        for (parameter, m) in self.parameters.iter().zip(&self.momentum) {
            let Some(g) = gradient(parameter)? else { continue };
            let (mut p, mut m) = (parameter.tensor.shallow_clone(), m.shallow_clone());
            let _ = m.f_mul_scalar_(self.mu)?;
            if is_weight(parameter) {
                let ratio = self.trust_ratio(&p, &g)?;
                let _ = m.f_addcmul_(&g, &ratio)?;
                let _ = m.f_addcmul_(&p, &ratio.f_mul_scalar(self.weight_decay)?)?;
            } else {
                let _ = m.f_add_(&g)?;
            }
            let _ = p.f_addcmul_(&m, &minus_lr)?;
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
