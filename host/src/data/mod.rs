//! From data sets to batches: splits, pixels held in memory, and mixtures.

pub mod mixture;
pub mod source;
pub mod split;

pub use mixture::Mixture;
pub use source::{Batch, DataError, Images, Source};
