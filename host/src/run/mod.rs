//! A run on disk: its folder, its record, what it measured, its checkpoints, and whether it may be continued.

pub mod checkpoint;
pub mod encoder_file;
pub mod folder;
pub mod lock;
pub mod metrics;
pub mod resume_check;
pub mod snapshot;
pub mod state;
pub mod tensors;
pub mod traces;
