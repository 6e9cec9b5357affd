//! From a data set to batches: splits, samples decoded once, and pixels held in memory, on the device or on disk.

mod decode;
pub mod entries;
mod error;
mod images;
pub mod loader;
mod packed;
mod prefetch;
mod reduce;
mod source;
pub mod split;
pub mod store;
pub mod survey;

pub use decode::{Damaged, Decoder};
pub use error::DataError;
pub use images::{Batch, Images};
pub use loader::Loader;
pub use prefetch::Batches;
pub use reduce::{reduce, reduced_size};
pub use source::Source;
