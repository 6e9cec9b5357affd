//! From data sets to batches: splits, samples decoded once, pixels held in memory, on the device or on disk, and mixtures.

pub mod cache_entries;
pub mod dataset_stats;
mod decode;
mod depth;
mod error;
pub mod flat;
mod images;
pub mod loader;
mod mixed_batches;
pub mod mixture;
mod moments;
mod packed;
mod prefetch;
mod reduce;
mod size;
mod source;
pub mod split;
pub mod store;
mod upload;

pub use decode::{Damaged, Decoder};
pub use depth::Depth;
pub use error::DataError;
pub use images::{Batch, Images};
pub use loader::Loader;
pub use mixed_batches::MixedBatches;
pub use mixture::Mixture;
pub use moments::Moments;
pub use prefetch::Batches;
pub use reduce::{reduce, reduced_size};
pub use size::Size;
pub use source::Source;
pub use upload::upload;
