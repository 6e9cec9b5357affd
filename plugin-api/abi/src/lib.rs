//! What crosses between host and plugin, version 1. These types never change; growth goes into JSON or into new
//! modules (docs/plugin-abi.md).
//!
//! Every fallible function returns an error as the JSON of a `PluginError`. Buffers are copied by the side that receives
//! them, because each side may have its own allocator. Plugin authors see `selfsame-plugin-api` instead.

// Written by abi_stable's macros.
#![allow(missing_docs, non_camel_case_types, non_local_definitions, clippy::undocumented_unsafe_blocks)]

mod layout;
mod module;
mod objects;
mod tensor;

pub use layout::LAYOUT_DIGEST;
pub use module::{LogCallback, PluginModule, PluginModulePrefix, PluginModuleRef};
pub use objects::{
    DatasetAbi, DatasetAbi_TO, DatasetObject, EncoderAbi, EncoderAbi_TO, EncoderObject, RawImage, RawTargets,
    SamplesAbi, SamplesAbi_TO, SamplesObject, ServicesAbi, ServicesAbi_TO, ServicesRef, TargetsKind,
};
pub use tensor::{BorrowedTensor, NamedTensor, OwnedTensor};

use abi_stable::std_types::{RResult, RString};

/// The version of the boundary; it stands in the manifest of every plugin.
pub const ABI_VERSION: u32 = 1;

/// The ELF section that holds a plugin's manifest.
pub const MANIFEST_SECTION: &str = ".selfsame";

/// The result of a call across the boundary; an error is the JSON of a `PluginError`.
pub type RawResult<T> = RResult<T, RString>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_version_is_the_boundarys() {
        assert_eq!(env!("CARGO_PKG_VERSION"), format!("{ABI_VERSION}.0.0"));
    }
}
