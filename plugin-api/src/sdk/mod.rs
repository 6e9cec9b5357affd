//! The plugin's side of the boundary: plain traits in, ABI objects out.

mod dataset;
mod guard;
mod json;
mod log;
mod module;

pub(crate) use guard::refine;
pub use guard::{guard, lacks_memory, without_backtrace, Guarded};
pub use json::{from_json, to_json};
pub use module::{entry, root_module, DatasetEntry, EncoderFunctions, NO_ENCODERS};
