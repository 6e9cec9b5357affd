//! A training run: its folder, its loop, its checkpoints, and what may interrupt it.

pub mod checkpoint;
mod continuity;
mod engine;
mod error;
mod evaluation;
pub mod lock;
mod record;
mod run;
pub mod run_folder;
pub mod session;
pub mod signals;
mod state;
pub mod storage;
pub mod tensors;

pub use error::TrainError;
pub use run::{TrainRequest, run};
pub use session::prepare_dataset;
