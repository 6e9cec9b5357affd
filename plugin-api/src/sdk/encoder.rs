//! An encoder's plain trait as an ABI object.

use super::{
    guard::{guard, refine, Guarded},
    module::{entry, from_json, to_json, EncoderFunctions},
    tensor::{borrow_tensor, lent_tensor, own_tensor, take_tensor},
};
use crate::{Encoder, EncoderCard, EncoderRequest, PluginError, Result};
use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RErr, ROk, RSlice, RStr, RString, RVec},
};
use selfsame_abi::{
    BorrowedTensor, EncoderAbi, EncoderAbi_TO, EncoderObject, HostObject, NamedTensor, OwnedTensor, RawResult,
};
use serde_json::json;
use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};
use tch::{Device, Tensor};

/// One encoder of a plugin.
#[derive(Clone, Copy)]
pub struct EncoderEntry {
    /// The name that users write.
    pub name: &'static str,
    /// Its card.
    pub card: fn(&str) -> EncoderCard,
    /// Its constructor.
    pub create: fn(&EncoderRequest, Device) -> Result<Box<dyn Encoder>>,
}

static ENCODERS: OnceLock<&'static [EncoderEntry]> = OnceLock::new();

/// Remembers the encoders; called by the expansion of [`export_plugin!`](crate::export_plugin).
pub fn encoder_functions(encoders: &'static [EncoderEntry]) -> EncoderFunctions {
    ENCODERS.get_or_init(|| encoders);
    EncoderFunctions { card: encoder_card, create: create_encoder }
}

thread_local! {
    static HOST: RefCell<Option<HostOperations>> = const { RefCell::new(None) };
}

/// Operations that only the host can do, because they need every process of a training run.
#[derive(Clone)]
pub struct HostOperations(Arc<HostObject>);

impl HostOperations {
    /// The host's operations, while an encoder's constructor runs; keep a clone for later calls.
    pub fn current() -> Option<Self> {
        HOST.with(|host| host.borrow().clone())
    }

    /// Runs the operation `name` on `tensors` with JSON arguments.
    ///
    /// # Errors
    /// An operation that this host does not know, by name, or the operation's own error.
    pub fn call(&self, name: &str, tensors: &[&Tensor], arguments: &serde_json::Value) -> Result<Vec<Tensor>> {
        let tensors: Vec<_> = tensors.iter().copied().map(borrow_tensor).collect();
        let arguments = arguments.to_string();
        match self.0.operation(name.into(), RSlice::from_slice(&tensors), arguments.as_str().into()) {
            ROk(answer) => Ok(answer.into_iter().map(take_tensor).collect()),
            RErr(json) => Err(PluginError::from_json(&json)),
        }
    }
}

impl From<tch::TchError> for PluginError {
    /// What libtorch refused; the host sees it without the C++ backtrace.
    fn from(error: tch::TchError) -> Self {
        match error {
            tch::TchError::Torch(message) => refine(Self::plugin(message)),
            other => Self::plugin(other.to_string()),
        }
    }
}

fn encoder(name: &str) -> Result<&'static EncoderEntry> {
    entry("encoder", name, ENCODERS.get().copied().unwrap_or_default(), |entry| entry.name)
}

fn device(text: &str) -> Result<Device> {
    let index = text.strip_prefix("cuda:").and_then(|index| index.parse().ok());
    match (text, index) {
        ("cpu", _) => Ok(Device::Cpu),
        (_, Some(index)) => Ok(Device::Cuda(index)),
        _ => Err(PluginError::plugin(format!("device `{text}`: expected `cpu` or `cuda:N`"))),
    }
}

extern "C" fn encoder_card(name: RStr<'_>) -> RawResult<RString> {
    guard("card", || to_json("card", &(encoder(name.as_str())?.card)(name.as_str())))
}

extern "C" fn create_encoder(request: RStr<'_>, on: RStr<'_>, host: HostObject) -> RawResult<EncoderObject> {
    guard("create", || {
        let request: EncoderRequest = from_json("request", request.as_str())?;
        let create = encoder(&request.name)?.create;
        let device = device(on.as_str())?;
        let _scope = HostScope::enter(HostOperations(Arc::new(host)));
        let created = create(&request, device)?;
        Ok(EncoderAbi_TO::from_value(EncoderShim(Guarded::new(created)), TD_Opaque))
    })
}

/// Makes the host's operations current until it is dropped.
struct HostScope;

impl HostScope {
    fn enter(operations: HostOperations) -> Self {
        HOST.with(|host| host.replace(Some(operations)));
        Self
    }
}

impl Drop for HostScope {
    fn drop(&mut self) {
        HOST.with(|host| host.replace(None));
    }
}

struct EncoderShim(Guarded<dyn Encoder>);

impl EncoderAbi for EncoderShim {
    fn forward(&self, x: BorrowedTensor<'_>, train: bool) -> RawResult<OwnedTensor> {
        guard("Encoder::forward", || Ok(own_tensor(self.0.forward(&lent_tensor(&x), train)?)))
    }

    fn feature_dim(&self) -> RawResult<usize> {
        guard("Encoder::feature_dim", || Ok(self.0.feature_dim()))
    }

    fn parameters(&self) -> RawResult<RVec<NamedTensor>> {
        guard("Encoder::parameters", || {
            let named = self.0.parameters().into_iter().map(|parameter| NamedTensor {
                metadata: json!({"name": parameter.name, "kind": parameter.kind}).to_string().into(),
                tensor: own_tensor(parameter.tensor),
            });
            Ok(named.collect())
        })
    }

    fn buffers(&self) -> RawResult<RVec<NamedTensor>> {
        guard("Encoder::buffers", || {
            let named = self.0.buffers().into_iter().map(|buffer| NamedTensor {
                metadata: json!({"name": buffer.name}).to_string().into(),
                tensor: own_tensor(buffer.tensor),
            });
            Ok(named.collect())
        })
    }
}
