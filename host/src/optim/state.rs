//! Naming, checking and copying of optimiser state.

use crate::model::{Error, Result};
use selfsame_encoder_api::Parameter;
use std::collections::BTreeMap;
use tch::Tensor;

/// One zeroed tensor a parameter, laid out in memory like it.
pub(super) fn zeros(parameters: &[Parameter]) -> Result<Vec<Tensor>> {
    parameters.iter().map(|p| Ok(p.tensor.f_detach()?.f_zeros_like()?)).collect()
}

/// Handles to `tensors`, one a parameter, named `<quantity>.<parameter>`.
pub(super) fn named(quantity: &str, parameters: &[Parameter], tensors: &[Tensor]) -> Vec<(String, Tensor)> {
    let name = |(p, t): (&Parameter, &Tensor)| (format!("{quantity}.{}", p.name), t.shallow_clone());
    parameters.iter().zip(tensors).map(name).collect()
}

/// Copies `saved` into `current` after checking that both have the same names and shapes.
pub(super) fn copy(saved: &BTreeMap<String, Tensor>, current: Vec<(String, Tensor)>) -> Result<()> {
    for (name, tensor) in &current {
        let from = saved.get(name).ok_or_else(|| {
            Error::State(format!("`{name}` is missing; was it written with another optimiser or model?"))
        })?;
        if from.size() != tensor.size() {
            let (found, expected) = (from.size(), tensor.size());
            return Err(Error::State(format!("`{name}` has shape {found:?}, expected {expected:?}")));
        }
    }
    if let Some(name) = saved.keys().find(|name| current.iter().all(|(known, _)| known != *name)) {
        return Err(Error::State(format!("`{name}` is unknown; was it written with another optimiser or model?")));
    }
    let _no_grad = tch::no_grad_guard();
    for (name, mut tensor) in current {
        tensor.f_copy_(&saved[&name])?;
    }
    Ok(())
}
