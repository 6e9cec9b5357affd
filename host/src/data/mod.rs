//! From a data set to batches: splits, and pixels held in memory.

pub mod source;
pub mod split;

pub use source::{Batch, DataError, Images, Source};
