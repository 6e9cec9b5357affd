//! An encoder's plain trait as an ABI object.

use crate::{
    tensor::{lent_tensor, own_tensor},
    Encoder, EncoderCard, EncoderRequest, Result,
};
use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RStr, RString, RVec},
};
use selfsame_abi::{BorrowedTensor, EncoderAbi, EncoderAbi_TO, EncoderObject, NamedTensor, OwnedTensor, RawResult};
use selfsame_plugin_api::{
    __private::{entry, from_json, guard, to_json, EncoderFunctions, Guarded},
    PluginError,
};
use serde_json::json;
use std::sync::OnceLock;
use tch::Device;

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

fn encoder(name: &str) -> selfsame_plugin_api::Result<&'static EncoderEntry> {
    entry("encoder", name, ENCODERS.get().copied().unwrap_or_default(), |entry| entry.name)
}

fn device(text: &str) -> selfsame_plugin_api::Result<Device> {
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

extern "C" fn create_encoder(request: RStr<'_>, on: RStr<'_>) -> RawResult<EncoderObject> {
    guard("create", || {
        let request: EncoderRequest = from_json("request", request.as_str())?;
        let create = encoder(&request.name)?.create;
        let device = device(on.as_str())?;
        let created = create(&request, device)?;
        Ok(EncoderAbi_TO::from_value(EncoderShim(Guarded::new(created)), TD_Opaque))
    })
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
            let named = self.0.parameters().into_iter().map(|parameter| {
                let frozen = self.0.is_frozen(&parameter.name);
                let metadata = json!({"name": parameter.name, "kind": parameter.kind, "frozen": frozen});
                NamedTensor { metadata: metadata.to_string().into(), tensor: own_tensor(parameter.tensor) }
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
