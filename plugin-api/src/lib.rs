//! The plugin boundary of selfsame, and the SDK that plugin authors see.
//!
//! A plugin is one dynamic library that provides any number of data sets and encoders. Authors of data sets implement the
//! plain Rust traits [`Dataset`] and [`Samples`], and name them once in [`export_plugin!`]; encoders are made with
//! `selfsame-encoder-api`, which adds libtorch. What crosses the boundary, panic catching and version checks are these
//! crates' business.
//!
//! A whole plugin, with its data in memory:
//!
//! ```
//! use selfsame_plugin_api::{
//!     export_plugin, Card, Dataset, DatasetRequest, InMemory, Result, Samples, Services, Split,
//! };
//!
//! export_plugin! {
//!     datasets: { "dots" => (card, create) },
//! }
//!
//! fn card(name: &str) -> Card {
//!     Card::new(name, "Dark and light dots").images(1, 8, (1, 1)).classes(["dark", "light"])
//! }
//!
//! fn create(_request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
//!     Ok(Box::new(Dots))
//! }
//!
//! struct Dots;
//!
//! impl Dataset for Dots {
//!     fn prepare(&self, _services: &dyn Services) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     fn open(&self, _split: Split) -> Result<Box<dyn Samples>> {
//!         let labels: Vec<i64> = (0..100).map(|dot| dot % 2).collect();
//!         let pixels = labels.iter().map(|label| 50 + 150 * *label as u8).collect();
//!         Ok(Box::new(InMemory::new(pixels, 8, [1, 1, 1])?.with_classes(labels)))
//!     }
//! }
//! ```
//!
//! `docs/plugins.md` of the repository has tutorials, and the contract of every method.

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
pub mod numpy;
mod options;
mod sdk;
mod services;
mod survey;

pub use card::Card;
pub use dataset::{
    Dataset, DatasetRequest, Image, Normalization, ReadHints, Samples, Split, Targets, Task, EQUAL_PIXELS,
};
pub use error::{ErrorKind, PluginError, Result};
pub use in_memory::{planar, InMemory};
pub use manifest::{Manifest, ABI_VERSION, LAYOUT_DIGEST, MANIFEST_SECTION, RUSTC, TARGET};
pub use options::{option_specs, parse_options, read_options, OptionSpec};
pub use sdk::{lacks_memory, without_backtrace};
pub use services::{Cancelled, Services};
pub use survey::{ChosenOption, Survey};

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
