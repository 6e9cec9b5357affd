//! One optimiser for each group of parameters, all of one kind.

use super::{Optimizer, Rates};
use crate::config::schema::OptimizerConfig;
use crate::model::{Error, ParameterGroup, Rate, Result};
use std::collections::BTreeMap;
use tch::Tensor;

/// The optimisers of a method's parameters.
pub struct Groups {
    optimizers: Vec<(Box<dyn Optimizer>, Rate)>,
}

impl Groups {
    /// The configured optimiser over each group.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(config: &OptimizerConfig, groups: Vec<ParameterGroup>) -> Result<Self> {
        let optimizer = |ParameterGroup { parameters, rate }| Ok((super::create(config, parameters)?, rate));
        Ok(Self { optimizers: groups.into_iter().map(optimizer).collect::<Result<_>>()? })
    }

    /// One update of every group: by `scheduled`, or with the learning rate `peak`.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn step(&mut self, scheduled: Rates, peak: f64) -> Result<()> {
        self.optimizers.iter_mut().try_for_each(|(optimizer, rate)| {
            optimizer.step(match rate {
                Rate::Scheduled => scheduled,
                Rate::Constant => Rates { lr: peak, ..scheduled },
            })
        })
    }

    /// Leaves all parameters without gradients; the memory is freed.
    pub fn zero_grad(&mut self) {
        self.optimizers.iter_mut().for_each(|(optimizer, _)| optimizer.zero_grad());
    }

    /// Everything that the next step depends on besides parameters and gradients, as [`Optimizer::state`].
    #[must_use]
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.optimizers.iter().flat_map(|(optimizer, _)| optimizer.state()).collect()
    }

    /// Copies a saved [`state`](Self::state) in.
    ///
    /// # Errors
    /// A tensor that is missing, unknown, or of another shape, by name.
    pub fn load_state(&mut self, saved: &BTreeMap<String, Tensor>) -> Result<()> {
        let own = self.state();
        if let Some(name) = saved.keys().find(|name| own.iter().all(|(known, _)| known != *name)) {
            return Err(Error::State(format!("`{name}` is unknown; was it written with another optimiser or model?")));
        }
        self.optimizers.iter_mut().try_for_each(|(optimizer, _)| {
            let names = optimizer.state().into_iter().map(|(name, _)| name);
            let of_group = names.filter_map(|name| saved.get(&name).map(|tensor| (name, tensor.shallow_clone())));
            optimizer.load_state(&of_group.collect())
        })
    }
}
