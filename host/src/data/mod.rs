//! From data sets to batches: splits, samples decoded once, pixels held in memory, on the device or on disk, and mixtures.

mod decode;
mod depth;
pub mod entries;
mod error;
mod images;
pub mod loader;
mod mixed_batches;
pub mod mixture;
mod packed;
mod prefetch;
mod reduce;
mod size;
mod source;
pub mod split;
pub mod store;
pub mod survey;

pub use decode::{Damaged, Decoder};
pub use depth::Depth;
pub use error::DataError;
pub use images::{Batch, Images};
pub use loader::Loader;
pub use mixed_batches::MixedBatches;
pub use mixture::Mixture;
pub use prefetch::Batches;
pub use reduce::{reduce, reduced_size};
pub use size::Size;
pub use source::Source;
