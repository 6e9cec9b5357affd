//! A training run: its folder, its loop, its checkpoints, and what may interrupt it.

pub mod checkpoint;
pub mod continuity;
pub mod engine;
mod error;
mod evaluation;
mod gradients;
mod head_batches;
pub mod initial_weights;
pub mod lock;
pub mod observer;
pub mod run_data;
pub mod run_folder;
pub mod session;
pub mod signals;
pub mod snapshot;
pub mod splits;
pub mod state;
pub mod tensors;
pub mod traces;

pub use error::TrainError;
