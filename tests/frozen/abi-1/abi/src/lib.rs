//! The types of version 1 of the boundary, as they were when it was frozen.

#![allow(missing_docs, non_camel_case_types, non_local_definitions)]

mod module;
mod objects;
mod tensor;

pub use module::{LogCallback, PluginModule, PluginModulePrefix, PluginModuleRef};
pub use objects::{
    DatasetAbi, DatasetAbi_TO, DatasetObject, EncoderAbi, EncoderAbi_TO, EncoderObject, RawImage, RawTargets,
    SamplesAbi, SamplesAbi_TO, SamplesObject, ServicesAbi, ServicesAbi_TO, ServicesRef, TargetsKind,
};
pub use tensor::{BorrowedTensor, NamedTensor, OwnedTensor};

use abi_stable::std_types::{RResult, RString};

pub type RawResult<T> = RResult<T, RString>;
