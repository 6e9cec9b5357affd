//! Finds plugins, judges them without running them, and shows the rest of the host plain traits.

mod allowed;
mod card;
mod dataset;
mod described;
mod description;
mod digest;
mod elf;
mod encoder;
mod exit_guard;
mod failure;
mod float_pixels;
pub mod install;
pub mod listing;
mod load;
mod log;
mod manifest;
pub mod pack;
mod plugin_context;
mod provided;
mod registry;
pub mod remove;
pub mod search;
pub mod skeleton;
mod slow_call;
mod stdout;
mod trust;
mod usage;

pub use description::{Description, DescriptionFile, StatedTask};
pub use exit_guard::expect_exit;
pub use failure::{PluginFailure, UnknownName};
pub use provided::Provided;
pub use registry::{Conflict, PluginFile, Registry, ScannedFile};
pub use search::SearchDir;
pub use slow_call::wish_to_stop;
pub use stdout::reserve as reserve_stdout;
pub use usage::UsedCard;
