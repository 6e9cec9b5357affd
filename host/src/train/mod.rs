//! Training: the loop, what it measures on the way, and what may interrupt it.

pub mod engine;
mod evaluation;
mod gradients;
mod head_batches;
pub mod initial_weights;
pub mod observer;
pub mod signals;

pub use crate::error::TrainError;
