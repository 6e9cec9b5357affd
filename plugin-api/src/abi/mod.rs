//! What crosses between host and plugin, version 1. These types never change; growth goes into JSON or into new modules.
//!
//! Every fallible function answers an error as the JSON of a [`crate::PluginError`]. Buffers are copied by the side
//! that receives them, because each side may have its own allocator.

// Written by abi_stable's macros.
#![allow(missing_docs, non_camel_case_types, clippy::undocumented_unsafe_blocks)]

mod module;
mod objects;
mod tensor;

pub use module::{LogCallback, PluginModule, PluginModulePrefix, PluginModuleRef};
pub use objects::{
    DatasetAbi, DatasetAbi_TO, DatasetObject, EncoderAbi, EncoderAbi_TO, EncoderObject, HostAbi, HostAbi_TO,
    HostObject, RawImage, RawTargets, SamplesAbi, SamplesAbi_TO, SamplesObject, ServicesAbi, ServicesAbi_TO,
    ServicesRef, TargetsKind,
};
pub use tensor::{BorrowedTensor, NamedTensor, OwnedTensor};

use crate::{ErrorKind, PluginError};
use abi_stable::std_types::{RResult, RString};

/// The result of a call across the boundary; an error is the JSON of a [`PluginError`].
pub type RawResult<T> = RResult<T, RString>;

/// Writes an error as JSON.
pub fn encode_error(error: &PluginError) -> RString {
    // Two strings always serialise; the plain message is a readable substitute.
    serde_json::to_string(error).unwrap_or_else(|_| error.message.clone()).into()
}

/// Reads an error; text that is no JSON becomes the message.
pub fn decode_error(json: &str) -> PluginError {
    serde_json::from_str(json).unwrap_or_else(|_| PluginError { kind: ErrorKind::Plugin, message: json.to_owned() })
}
