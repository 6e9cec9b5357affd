//! Adam (Kingma & Ba 2015, algorithm 1) and AdamW (Loshchilov & Hutter 2019, algorithm 2).

use super::{Optimizer, gradient, is_weight, state};
use crate::model::Result;
use selfsame_plugin_api::Parameter;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// How weights are decayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// λ·p is added to the gradient (Adam).
    L2(f64),
    /// p shrinks by lr·λ·p, past the moments (AdamW).
    Decoupled(f64),
}

/// PyTorch's Adam and AdamW. Each parameter counts its own steps, so that one without a gradient does not age.
#[derive(Debug)]
pub struct Adam {
    parameters: Vec<Parameter>,
    exp_avg: Vec<Tensor>,
    exp_avg_sq: Vec<Tensor>,
    /// Steps taken, one 0-dimensional int64 tensor a parameter, on the CPU.
    steps: Vec<Tensor>,
    betas: [f64; 2],
    eps: f64,
    decay: Decay,
}

impl Adam {
    /// With zero moments.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(parameters: Vec<Parameter>, betas: [f64; 2], eps: f64, decay: Decay) -> Result<Self> {
        let (exp_avg, exp_avg_sq) = (state::zeros(&parameters)?, state::zeros(&parameters)?);
        let step = || Tensor::f_zeros([0_i64; 0], (Kind::Int64, Device::Cpu));
        let steps = parameters.iter().map(|_| Ok(step()?)).collect::<Result<_>>()?;
        Ok(Self { parameters, exp_avg, exp_avg_sq, steps, betas, eps, decay })
    }
}

impl Optimizer for Adam {
    fn step(&mut self, lr: f64) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let [beta1, beta2] = self.betas;
        let moments = self.exp_avg.iter_mut().zip(&mut self.exp_avg_sq);
        for ((parameter, (m, v)), step) in self.parameters.iter_mut().zip(moments).zip(&mut self.steps) {
            let Some(mut g) = gradient(parameter)? else { continue };
            let decayed = is_weight(parameter);
            let p = &mut parameter.tensor;
            match self.decay {
                Decay::L2(decay) if decayed && decay != 0.0 => g = g.f_add(&p.f_mul_scalar(decay)?)?,
                Decay::Decoupled(decay) if decayed => {
                    let _ = p.f_mul_scalar_(1.0 - lr * decay)?;
                }
                Decay::L2(_) | Decay::Decoupled(_) => {}
            }
            let t = step.f_add_scalar_(1)?.f_int64_value(&[])? as f64;
            let _ = m.f_lerp_(&g, 1.0 - beta1)?;
            let _ = v.f_mul_scalar_(beta2)?.f_addcmul_(&g, &g.f_mul_scalar(1.0 - beta2)?)?;
            let correction = (1.0 - beta2.powf(t)).sqrt();
            let denominator = v.f_sqrt()?.f_div_scalar_(correction)?.f_add_scalar_(self.eps)?;
            let scaled = m.f_mul_scalar(-lr / (1.0 - beta1.powf(t)))?;
            let _ = p.f_addcdiv_(&scaled, &denominator)?;
        }
        Ok(())
    }

    fn zero_grad(&mut self) {
        self.parameters.iter_mut().for_each(|p| p.tensor.zero_grad());
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut named = state::named("exp_avg", &self.parameters, &self.exp_avg);
        named.extend(state::named("exp_avg_sq", &self.parameters, &self.exp_avg_sq));
        named.extend(state::named("step", &self.parameters, &self.steps));
        named
    }

    fn load_state(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<()> {
        state::copy(saved, self.state())
    }
}
