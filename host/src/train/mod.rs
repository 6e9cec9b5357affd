//! A training run: its folder, its checkpoints, and what may interrupt it.

pub mod checkpoint;
pub mod lock;
pub mod run_folder;
pub mod signals;
pub mod storage;
pub mod tensors;
