use super::{DatasetObject, EncoderObject, RawResult};
use abi_stable::{
    library::RootModule,
    sabi_types::VersionStrings,
    std_types::{RStr, RString},
    StableAbi,
};

/// Receives (plugin, level 1 = error … 5 = trace, target, message, fields as a JSON object).
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct LogCallback {
    pub call: extern "C" fn(RStr<'_>, u8, RStr<'_>, RStr<'_>, RStr<'_>),
}

/// The functions that a plugin exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef, prefix_fields = PluginModulePrefix)))]
pub struct PluginModule {
    /// Called once after loading: where log events go, and the most verbose level that the host wants (0–5).
    pub attach: extern "C" fn(LogCallback, u8),
    /// A data set's card as JSON.
    pub dataset_card: extern "C" fn(RStr<'_>) -> RawResult<RString>,
    /// Makes a data set from the JSON of a `DatasetRequest`.
    pub create_dataset: extern "C" fn(RStr<'_>) -> RawResult<DatasetObject>,
    /// An encoder's card as JSON.
    pub encoder_card: extern "C" fn(RStr<'_>) -> RawResult<RString>,
    /// Makes an encoder from the JSON of an `EncoderRequest` and a device (`cpu`, `cuda:0`).
    #[sabi(last_prefix_field)]
    pub create_encoder: extern "C" fn(RStr<'_>, RStr<'_>) -> RawResult<EncoderObject>,
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "selfsame_plugin";
    const NAME: &'static str = "selfsame_plugin";
    // The version of this boundary, not of the crate: abi_stable refuses libraries that are older than the host.
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}
