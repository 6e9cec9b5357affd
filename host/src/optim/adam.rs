//! Adam (Kingma & Ba 2015, algorithm 1) and AdamW (Loshchilov & Hutter 2019, algorithm 2).

use super::{Optimizer, Rates, drop_gradients, gradients, pick, split_weights, state};
use crate::model::Result;
use crate::native::lists::{
    foreach_add_scalar_, foreach_addcdiv_, foreach_addcmul_, foreach_lerp_, foreach_mul_, foreach_sqrt,
};
use selfsame_encoder_api::Parameter;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// How weights are decayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// λ·p is added to the gradient (Adam).
    L2,
    /// p shrinks by lr·λ·p, past the moments (AdamW).
    Decoupled,
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

    /// Step `t`, from 1, of the parameters at `indices`, whose gradients are `g`.
    fn update(&self, indices: &[usize], mut g: Vec<Tensor>, t: f64, rates: Rates) -> Result<()> {
        let Rates { lr, weight_decay } = rates;
        let mut p = pick(indices, |i| &self.parameters[i].tensor);
        let (weights, _) = split_weights(&self.parameters, indices);
        match self.decay {
            _ if weight_decay == 0.0 => {}
            Decay::L2 => {
                // Not in place: the gradients are not the optimiser's to change.
                for n in weights {
                    g[n] = g[n].f_add(&p[n].f_mul_scalar(weight_decay)?)?;
                }
            }
            Decay::Decoupled => foreach_mul_(&mut pick(&weights, |n| &p[n]), 1.0 - lr * weight_decay)?,
        }
        let [beta1, beta2] = self.betas;
        let mut m = pick(indices, |i| &self.exp_avg[i]);
        foreach_lerp_(&mut m, &g, 1.0 - beta1)?;
        let mut v = pick(indices, |i| &self.exp_avg_sq[i]);
        foreach_mul_(&mut v, beta2)?;
        foreach_addcmul_(&mut v, &g, &g, 1.0 - beta2)?;
        let mut denominator = foreach_sqrt(&v)?;
        foreach_mul_(&mut denominator, 1.0 / (1.0 - beta2.powf(t)).sqrt())?;
        foreach_add_scalar_(&mut denominator, self.eps)?;
        foreach_addcdiv_(&mut p, &m, &denominator, -lr / (1.0 - beta1.powf(t)))?;
        Ok(())
    }
}

impl Optimizer for Adam {
    fn step(&mut self, rates: Rates) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let (indices, g) = gradients(&self.parameters)?;
        // By step count; one group unless some parameter has had no gradient at first.
        let mut groups: BTreeMap<i64, (Vec<usize>, Vec<Tensor>)> = BTreeMap::new();
        for (i, g) in indices.into_iter().zip(g) {
            let t = self.steps[i].f_add_scalar_(1)?.f_int64_value(&[])?;
            let (indices, gradients) = groups.entry(t).or_default();
            indices.push(i);
            gradients.push(g);
        }
        for (t, (indices, g)) in groups {
            self.update(&indices, g, t as f64, rates)?;
        }
        Ok(())
    }

    fn zero_grad(&mut self) {
        drop_gradients(&self.parameters);
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
