//! The plugin boundary of selfsame, and the SDK that plugin authors see.
//!
//! A plugin is one dynamic library that provides any number of data sets and encoders. Authors of data sets implement the
//! plain Rust traits [`Dataset`] and [`Samples`], and name them once in [`export_plugin!`]; encoders are made with
//! `selfsame-encoder-api`, which adds libtorch. What crosses the boundary, panic catching and version checks are these
//! crates' business.

mod card;
mod dataset;
#[cfg(feature = "download")]
pub mod download;
mod error;
mod export;
pub mod files;
#[cfg(feature = "images")]
pub mod images;
mod in_memory;
pub mod jpeg;
mod manifest;
mod options;
mod sdk;
mod services;

pub use card::Card;
pub use dataset::{Dataset, DatasetRequest, Image, Normalization, ReadHints, Samples, Split, Targets, Task};
pub use error::{ErrorKind, PluginError, Result};
pub use in_memory::{planar, InMemory};
pub use manifest::{Manifest, ABI_VERSION, LAYOUT_DIGEST, MANIFEST_SECTION, RUSTC, TARGET};
pub use options::{option_specs, parse_options, read_options, OptionSpec};
pub use sdk::{lacks_memory, without_backtrace};
pub use services::{Cancelled, Services};

/// What the expansion of [`export_plugin!`] names.
#[doc(hidden)]
pub mod __private {
    pub use crate::sdk::{
        entry, from_json, guard, root_module, to_json, DatasetEntry, EncoderFunctions, Guarded, NO_ENCODERS,
    };
    pub use abi_stable::library::{
        __call_root_module_loader as call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult,
    };
    pub use const_format::concatcp;
    pub use selfsame_abi::PluginModuleRef;
}
