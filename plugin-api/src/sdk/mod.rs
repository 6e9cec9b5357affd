//! The plugin's side of the boundary: plain traits in, ABI objects out.

mod dataset;
mod guard;
mod log;
mod module;

pub(crate) use guard::refine;
pub use guard::{guard, lacks_memory, without_backtrace, Guarded};
pub use module::{entry, from_json, root_module, to_json, DatasetEntry, EncoderFunctions, NO_ENCODERS};
