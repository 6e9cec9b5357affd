//! Which tensors make up a run, and putting saved ones back.

use crate::error::Error;
use crate::method::Method;
use selfsame_encoder_api::{Buffer, Encoder, Parameter};
use std::collections::BTreeMap;
use tch::{Tensor, no_grad};

/// Parameters and buffers of encoder and heads, by name.
pub fn model_tensors(method: &dyn Method) -> Vec<(String, Tensor)> {
    with_buffers(method.parameters(), method.buffers())
}

/// Parameters by name.
pub fn parameter_tensors(parameters: Vec<Parameter>) -> Vec<(String, Tensor)> {
    parameters.into_iter().map(|parameter| (parameter.name, parameter.tensor)).collect()
}

/// The encoder's parameters and buffers alone, under their published names.
pub fn encoder_tensors(encoder: &dyn Encoder) -> Vec<(String, Tensor)> {
    with_buffers(encoder.parameters(), encoder.buffers())
}

fn with_buffers(parameters: Vec<Parameter>, buffers: Vec<Buffer>) -> Vec<(String, Tensor)> {
    let mut tensors = parameter_tensors(parameters);
    tensors.extend(buffers.into_iter().map(|buffer| (buffer.name, buffer.tensor)));
    tensors
}

/// Copies saved tensors over the run's own.
///
/// # Errors
/// A tensor that is missing, unknown, or of another shape.
pub fn restore(own: &[(String, Tensor)], saved: &BTreeMap<String, Tensor>) -> Result<(), Error> {
    if let Some(unknown) = saved.keys().find(|name| !own.iter().any(|(own, _)| own == *name)) {
        return Err(mismatch(format!("it holds `{unknown}`, which this run does not have")));
    }
    for (name, tensor) in own {
        let Some(value) = saved.get(name) else { return Err(mismatch(format!("it lacks `{name}`"))) };
        if value.size() != tensor.size() || value.kind() != tensor.kind() {
            return Err(mismatch(format!(
                "`{name}` is {:?} {:?}, this run has {:?} {:?}",
                value.kind(),
                value.size(),
                tensor.kind(),
                tensor.size()
            )));
        }
        no_grad(|| tensor.shallow_clone().f_copy_(value).map(drop))?;
    }
    Ok(())
}

fn mismatch(what: String) -> Error {
    Error::data(format!(
        "the checkpoint does not fit this run: {what}. Resume with the configuration that the run was started with, or \
         choose another `--output-dir`"
    ))
}
