//! Optimisers whose whole state can be saved and restored, and the learning rate over a run.
//!
//! They follow PyTorch's arithmetic, with two rules of their own: only [`ParameterKind::Weight`] is decayed (and
//! adapted by LARS), and learning rate and weight decay are handed to every step. All updates are in place, over
//! lists of parameters at once, and wait for no device.
//!
//! [`ParameterKind::Weight`]: selfsame_encoder_api::ParameterKind::Weight

mod adam;
mod clip;
mod groups;
mod lars;
mod schedule;
mod sgd;
mod state;

pub use adam::{Adam, Decay};
pub use clip::clip_gradients;
pub use groups::Groups;
pub use lars::Lars;
pub use schedule::{DecaySchedule, Schedule};
pub use sgd::Sgd;

use crate::config::schema::{OptimizerConfig, OptimizerName};
use crate::model::Result;
use crate::native;
use selfsame_encoder_api::{Parameter, ParameterKind};
use std::collections::BTreeMap;
use tch::Tensor;

/// What a step goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Learning rate.
    pub lr: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

/// Moves parameters against their gradients.
pub trait Optimizer: Send {
    /// One update. A parameter without a gradient is left alone.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    fn step(&mut self, rates: Rates) -> Result<()>;

    /// Leaves all parameters without gradients; the memory is freed.
    fn zero_grad(&mut self);

    /// Everything that the next step depends on besides parameters and gradients, in a fixed order: handles, not
    /// copies, named `<quantity>.<parameter>`.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Copies a saved [`state`](Self::state) in; the next step is then the one that would have followed the saving.
    ///
    /// # Errors
    /// A tensor that is missing, unknown, or of another shape, by name; nothing is changed then.
    fn load_state(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<()>;
}

/// Makes the configured optimiser over `parameters`, whose names must differ.
///
/// # Errors
/// Anything libtorch refuses, such as a full device.
pub fn create(config: &OptimizerConfig, parameters: Vec<Parameter>) -> Result<Box<dyn Optimizer>> {
    Ok(match config.name {
        OptimizerName::Sgd => Box::new(Sgd::new(parameters, config.momentum, config.nesterov)?),
        OptimizerName::Adam => Box::new(Adam::new(parameters, config.betas, config.eps, Decay::L2)?),
        OptimizerName::Adamw => Box::new(Adam::new(parameters, config.betas, config.eps, Decay::Decoupled)?),
        OptimizerName::Lars => {
            let (momentum, eta, clip) = (config.momentum, config.trust_coefficient, config.clip_trust_ratio);
            Box::new(Lars::new(parameters, momentum, eta, clip)?)
        }
    })
}

/// Leaves the parameters without gradients.
fn drop_gradients(parameters: &[Parameter]) {
    native::lists::drop_gradients(&mut parameters.iter().map(|p| p.tensor.shallow_clone()).collect::<Vec<_>>());
}

/// The positions and gradients of the parameters that backward passes have reached.
fn gradients(parameters: &[Parameter]) -> Result<(Vec<usize>, Vec<Tensor>)> {
    let (mut indices, mut gradients) = (Vec::new(), Vec::new());
    for (index, parameter) in parameters.iter().enumerate() {
        let gradient = parameter.tensor.f_grad()?;
        if gradient.defined() {
            indices.push(index);
            gradients.push(gradient);
        }
    }
    Ok((indices, gradients))
}

/// The places in `indices` of the weights, to which alone weight decay and LARS apply, and of the other parameters.
fn split_weights(parameters: &[Parameter], indices: &[usize]) -> (Vec<usize>, Vec<usize>) {
    (0..indices.len()).partition(|&place| parameters[indices[place]].kind == ParameterKind::Weight)
}

/// A list of handles to the tensors at `indices`.
fn pick<'a>(indices: &[usize], tensor: impl Fn(usize) -> &'a Tensor) -> Vec<Tensor> {
    indices.iter().map(|&index| tensor(index).shallow_clone()).collect()
}
