//! The plugin boundary of selfsame, and the SDK that plugin authors see.
//!
//! A plugin is one dynamic library that provides any number of data sets and encoders. Authors implement the plain
//! Rust traits [`Dataset`] (with [`Samples`]) and [`Encoder`], and name them once in [`export_plugin!`]. What crosses
//! the boundary, panic catching and version checks are this crate's business.

mod dataset;
#[cfg(feature = "encoder")]
mod encoder;
mod error;
mod export;
mod manifest;
mod options;
mod sdk;
mod services;

pub use dataset::{Card, Dataset, DatasetRequest, Image, Normalization, Samples, Split, Targets, Task};
#[cfg(feature = "encoder")]
pub use encoder::{Buffer, Encoder, EncoderCard, EncoderRequest, Parameter, ParameterKind, Stem};
pub use error::{ErrorKind, PluginError, Result};
pub use manifest::{Manifest, ABI_VERSION, LIBTORCH_VERSION, MANIFEST_SECTION, RUSTC, TARGET};
pub use options::{parse_options, OptionSpec};
#[cfg(feature = "encoder")]
pub use sdk::{borrow_tensor, lacks_memory, own_tensor, take_tensor, without_backtrace, HostOperations};
pub use services::{Cancelled, Services};
#[cfg(feature = "encoder")]
pub use tch;

/// What the expansion of [`export_plugin!`] names.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "encoder")]
    pub use crate::sdk::{encoder_functions, EncoderEntry};
    pub use crate::sdk::{root_module, DatasetEntry, EncoderFunctions, NO_ENCODERS};
    pub use abi_stable::library::{
        __call_root_module_loader as call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult,
    };
    pub use const_format::concatcp;
    pub use selfsame_abi::PluginModuleRef;
}
