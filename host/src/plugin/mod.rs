//! Finds plugins, judges them without running them, and shows the rest of the host plain traits.

mod card;
mod dataset;
mod elf;
mod encoder;
mod failure;
pub mod install;
pub mod listing;
mod load;
mod log;
mod manifest;
mod plugin_context;
mod registry;
pub mod search;
pub mod skeleton;
mod slow_call;
mod trust;

pub use failure::{PluginFailure, UnknownName};
pub use registry::{PluginFile, Registry, ScannedFile};
pub use search::SearchDir;
