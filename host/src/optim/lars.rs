//! Layer-wise adaptive rate scaling (You et al. 2017).

use super::{Optimizer, Rates, drop_gradients, gradients, pick, split_weights, state};
use crate::data::upload;
use crate::model::Result;
use crate::native::lists::{foreach_add_, foreach_addcmul_, foreach_mul_, foreach_norm};
use selfsame_encoder_api::Parameter;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

const EPS: f64 = 1e-8;

/// LARS in the form most used today: the decayed gradient is scaled, then SGD with momentum takes the step. For a
/// weight, r = η‖p‖ / (‖g‖ + λ‖p‖ + 1e-8), or 1 where ‖p‖ or ‖g‖ is 0; m ← μ·m + r·(g + λ·p); p ← p − lr·m.
/// Everything else is neither decayed nor scaled: m ← μ·m + g.
///
/// Clipped, r / lr is at most 1 wherever r is not 1 by that rule: no weight's step is longer than SGD's would be.
///
/// You et al. multiply by the learning rate before the momentum; the two forms differ only where the rate changes.
#[derive(Debug)]
pub struct Lars {
    parameters: Vec<Parameter>,
    momentum: Vec<Tensor>,
    mu: f64,
    eta: f64,
    clip: bool,
    /// On a GPU.
    owners: Option<Owners>,
}

/// Of all elements of some weights, one weight after the other, whose each is: int32 `[elements]`.
#[derive(Debug)]
struct Owners {
    lengths: Vec<i64>,
    index: Tensor,
}

impl Lars {
    /// With zero momentum buffers; `eta` is the trust coefficient η, `clip` whether trust ratios are clipped.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(parameters: Vec<Parameter>, mu: f64, eta: f64, clip: bool) -> Result<Self> {
        let momentum = state::zeros(&parameters)?;
        Ok(Self { parameters, momentum, mu, eta, clip, owners: None })
    }

    /// r of `n` weights, `[n]` on their device; not for an empty list.
    fn trust_ratios(&self, p: &[Tensor], g: &[Tensor], rates: Rates) -> Result<Tensor> {
        let p_norm = Tensor::f_stack(&foreach_norm(p)?, 0)?;
        let g_norm = Tensor::f_stack(&foreach_norm(g)?, 0)?;
        let denominator = p_norm.f_mul_scalar(rates.weight_decay)?.f_add(&g_norm)?.f_add_scalar(EPS)?;
        let mut ratio = p_norm.f_mul_scalar(self.eta)?.f_div(&denominator)?;
        if self.clip {
            ratio = ratio.f_div_scalar(rates.lr)?.f_clamp_max(1.0)?;
        }
        let both = p_norm.f_gt(0.0)?.f_logical_and(&g_norm.f_gt(0.0)?)?;
        Ok(ratio.f_where_scalarother(&both, 1.0)?)
    }

    /// r of each weight, for operations on lists: as tensors without dimensions on the CPU. On a GPU, where each of those would
    /// cost a launch, as tensors like the weights, which cost two numbers an element.
    fn spread(&mut self, ratios: &Tensor, p: &[Tensor]) -> Result<Vec<Tensor>> {
        if !ratios.device().is_cuda() {
            return Ok(ratios.f_unbind(0)?);
        }
        let lengths: Vec<i64> = p.iter().map(|p| p.numel() as i64).collect();
        let owners = match self.owners.take().filter(|owners| owners.lengths == lengths) {
            Some(owners) => owners,
            None => Owners::new(lengths, ratios.device())?,
        };
        let all = ratios.f_index_select(0, &owners.index)?;
        let mut end = 0;
        let like = |p: &Tensor| {
            let start = end;
            end += p.numel() as i64;
            Ok(all.f_as_strided(p.size(), strides(p), start)?)
        };
        let spread = p.iter().map(like).collect();
        self.owners = Some(owners);
        spread
    }

    /// m ← m + r·(g + λ·p) for lists of weights.
    fn add_scaled(&mut self, m: &mut [Tensor], p: &[Tensor], g: &[Tensor], rates: Rates) -> Result<()> {
        if p.is_empty() {
            return Ok(());
        }
        let ratios = self.trust_ratios(p, g, rates)?;
        let ratios = self.spread(&ratios, p)?;
        foreach_addcmul_(m, g, &ratios, 1.0)?;
        foreach_addcmul_(m, p, &ratios, rates.weight_decay)?;
        Ok(())
    }
}

impl Owners {
    fn new(lengths: Vec<i64>, device: Device) -> Result<Self> {
        let weights = Tensor::f_arange(lengths.len() as i64, (Kind::Int, Device::Cpu))?;
        let elements = lengths.iter().sum::<i64>();
        let index = weights.f_repeat_interleave_self_tensor(&Tensor::f_from_slice(&lengths)?, 0, elements)?;
        Ok(Self { lengths, index: upload(&index, device)? })
    }
}

/// The tensor's own strides where its elements fill their memory, else those of a tensor that does.
fn strides(tensor: &Tensor) -> Vec<i64> {
    let (sizes, own) = (tensor.size(), tensor.stride());
    let last: i64 = sizes.iter().zip(&own).map(|(size, stride)| (size - 1) * stride).sum();
    if last + 1 == tensor.numel() as i64 {
        return own;
    }
    (1..=sizes.len()).map(|inner| sizes[inner..].iter().product()).collect()
}

impl Optimizer for Lars {
    fn step(&mut self, rates: Rates) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let (indices, g) = gradients(&self.parameters)?;
        let mut p = pick(&indices, |i| &self.parameters[i].tensor);
        let mut m = pick(&indices, |i| &self.momentum[i]);
        foreach_mul_(&mut m, self.mu)?;
        let (weights, others) = split_weights(&self.parameters, &indices);
        self.add_scaled(&mut pick(&weights, |n| &m[n]), &pick(&weights, |n| &p[n]), &pick(&weights, |n| &g[n]), rates)?;
        foreach_add_(&mut pick(&others, |n| &m[n]), &pick(&others, |n| &g[n]), 1.0)?;
        foreach_add_(&mut p, &m, -rates.lr)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_tensor_lies_in_memory_like_the_weight_or_without_gaps() {
        let weight = Tensor::zeros([4, 3, 2, 5], (Kind::Float, Device::Cpu));
        assert_eq!(strides(&weight), [30, 10, 5, 1]);
        assert_eq!(strides(&weight.permute([0, 3, 2, 1])), [30, 1, 5, 10]);
        assert_eq!(strides(&weight.narrow(1, 0, 2)), [20, 10, 5, 1]);
        assert_eq!(strides(&Tensor::from(1.0)), [0_i64; 0]);
    }
}
