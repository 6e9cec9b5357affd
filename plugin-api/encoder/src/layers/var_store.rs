//! Networks that are made with `tch::nn`.

use crate::{Buffer, Parameter, ParameterKind};
use tch::nn::VarStore;

/// The trainable tensors of a store, sorted by name, for [`Encoder::parameters`](crate::Encoder::parameters). What is called
/// `bias` is one; other tensors of one dimension scale a normalisation; all others are weights.
///
/// `tch::nn` draws from other distributions than PyTorch (γ of batch normalisation from U(0, 1), say): set `ws_init` and
/// its kin, or make layers with [`Layers`](super::Layers).
pub fn var_store_parameters(store: &VarStore) -> Vec<Parameter> {
    let mut all: Vec<_> = store.variables().into_iter().filter(|(_, tensor)| tensor.requires_grad()).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let parameter = |(name, tensor): (String, tch::Tensor)| {
        let kind = match tensor.dim() {
            _ if name.ends_with("bias") => ParameterKind::Bias,
            0 | 1 => ParameterKind::Norm,
            _ => ParameterKind::Weight,
        };
        Parameter { name, kind, tensor }
    };
    all.into_iter().map(parameter).collect()
}

/// The other tensors of a store, sorted by name, for [`Encoder::buffers`](crate::Encoder::buffers).
pub fn var_store_buffers(store: &VarStore) -> Vec<Buffer> {
    let mut all: Vec<_> = store.variables().into_iter().filter(|(_, tensor)| !tensor.requires_grad()).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().map(|(name, tensor)| Buffer { name, tensor }).collect()
}
