//! A plugin's encoder behind the plain trait; checks whatever the plugin returns.

use super::{calls::Method, card::is_unique, plugin_context::PluginContext};
use crate::native;
use selfsame_abi::EncoderObject;
use selfsame_encoder_api::{Buffer, Encoder, Parameter, ParameterKind, Result, borrow_tensor, take_tensor};
use serde::Deserialize;
use std::cell::Cell;
use std::collections::HashSet;
use tch::{Device, Kind, TchError, Tensor};

/// The longest embedding that is believed.
const MAX_FEATURES: usize = 1 << 24;

pub(super) struct PluginEncoder {
    context: PluginContext,
    object: EncoderObject,
    feature_dim: usize,
    parameters: Vec<Parameter>,
    /// Names of those that are not to learn.
    frozen: HashSet<String>,
    buffers: Vec<Buffer>,
    /// Whether an embedding in eval mode has been looked at.
    is_seen: Cell<bool>,
}

#[derive(Deserialize)]
struct ParameterMetadata {
    name: String,
    kind: ParameterKind,
    /// Absent in plugins of older SDKs.
    #[serde(default)]
    frozen: bool,
}

#[derive(Deserialize)]
struct BufferMetadata {
    name: String,
}

impl PluginEncoder {
    pub(super) fn new(context: PluginContext, object: EncoderObject) -> selfsame_plugin_api::Result<Self> {
        let damaged = |error: serde_json::Error| context.broken(format!("metadata of a tensor: {error}"));
        let feature_dim = context.call(Method::FeatureDim, |_| object.feature_dim())?;
        let (mut parameters, mut frozen_names) = (Vec::new(), HashSet::new());
        for named in context.call(Method::Parameters, |_| object.parameters())? {
            let ParameterMetadata { name, kind, frozen } = serde_json::from_str(&named.metadata).map_err(damaged)?;
            if frozen {
                frozen_names.insert(name.clone());
            }
            parameters.push(Parameter { name, kind, tensor: take_tensor(named.tensor) });
        }
        let mut buffers = Vec::new();
        for named in context.call(Method::Buffers, |_| object.buffers())? {
            let BufferMetadata { name } = serde_json::from_str(&named.metadata).map_err(damaged)?;
            buffers.push(Buffer { name, tensor: take_tensor(named.tensor) });
        }
        if !(1..=MAX_FEATURES).contains(&feature_dim) {
            return Err(context.broken(format!("`feature_dim` is {feature_dim}, expected 1 to {MAX_FEATURES}")));
        }
        let names = || parameters.iter().map(|p| &p.name).chain(buffers.iter().map(|b| &b.name));
        if !is_unique(names()) {
            return Err(context.broken("two parameters or buffers have the same name"));
        }
        if let Some(name) = names().find(|name| !is_tensor_name(name)) {
            return Err(context.broken(format!(
                "`{name}` is the name of a parameter or buffer, expected words joined by dots, such as `layer1.0.weight`"
            )));
        }
        if let Some(parameter) = parameters.iter().find(|p| !p.tensor.is_leaf() || !p.tensor.requires_grad()) {
            let name = &parameter.name;
            return Err(context.broken(format!("parameter `{name}` is not a leaf that requires gradients")));
        }
        Ok(Self { context, object, feature_dim, parameters, frozen: frozen_names, buffers, is_seen: Cell::new(false) })
    }
}

/// Whether files of weights, and PyTorch's modules, can have a tensor of this name.
fn is_tensor_name(name: &str) -> bool {
    name.split('.').all(|word| !word.is_empty() && !word.contains(char::is_control))
}

impl PluginEncoder {
    /// Whether input, parameters and buffers are finite: where they are not, the training has diverged.
    fn is_whole(&self, x: &Tensor) -> std::result::Result<bool, TchError> {
        let own = self.parameters.iter().map(|p| &p.tensor).chain(self.buffers.iter().map(|b| &b.tensor));
        for tensor in own.chain([x]) {
            if !is_finite(tensor)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether all values are finite. On the CPU without an operation of libtorch's, which would become part of a trace.
fn is_finite(tensor: &Tensor) -> std::result::Result<bool, TchError> {
    if tensor.device() == Device::Cpu && tensor.f_kind()? == Kind::Float {
        let mut values = vec![0f32; tensor.numel()];
        tensor.f_copy_data(&mut values, tensor.numel())?;
        return Ok(values.iter().all(|value| value.is_finite()));
    }
    bool::try_from(tensor.f_isfinite()?.f_all()?)
}

impl Encoder for PluginEncoder {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let forward = |_: &_| self.object.forward(borrow_tensor(x), train);
        let version = x.f_internal_version()?;
        let embedded = take_tensor(self.context.call(Method::Forward, forward)?);
        if x.f_internal_version()? != version {
            return Err(self.context.broken("`forward` changed its input; it may only read it").into());
        }
        let expected = [x.size().first().copied().unwrap_or_default(), self.feature_dim as i64];
        if embedded.size() != expected {
            let shape = embedded.size();
            return Err(self
                .context
                .broken(format!("`forward` returned shape {shape:?}, expected {expected:?}"))
                .into());
        }
        let kind = embedded.f_kind()?;
        if kind != Kind::Float && !(matches!(kind, Kind::BFloat16 | Kind::Half) && native::autocast_is_on()) {
            return Err(self.context.broken(format!("`forward` returned {kind:?}, expected Float")).into());
        }
        // Whoever trains looks at the loss; of a GPU, whose values have to be waited for, the first embedding is looked at.
        let is_looked_at = !train && (x.device() == Device::Cpu || !self.is_seen.replace(true));
        if is_looked_at && !is_finite(&embedded)? && self.is_whole(x)? {
            let message = "`forward` returned values that are not finite, of an input, parameters and buffers that are";
            return Err(self.context.broken(message).into());
        }
        Ok(embedded)
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn parameters(&self) -> Vec<Parameter> {
        let handle = |p: &Parameter| Parameter { name: p.name.clone(), kind: p.kind, tensor: p.tensor.shallow_clone() };
        self.parameters.iter().map(handle).collect()
    }

    fn buffers(&self) -> Vec<Buffer> {
        let handle = |b: &Buffer| Buffer { name: b.name.clone(), tensor: b.tensor.shallow_clone() };
        self.buffers.iter().map(handle).collect()
    }

    fn is_frozen(&self, name: &str) -> bool {
        self.frozen.contains(name)
    }
}
