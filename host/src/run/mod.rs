//! A run on disk: its folder, its record, what it measured, its checkpoints, and whether it may be continued.

pub mod checkpoint;
pub mod encoder_file;
pub mod files;
pub mod folder;
pub mod lock;
pub mod log;
pub mod metrics;
pub mod new_record;
pub mod record;
pub mod resume_check;
mod skipped;
pub mod snapshot;
pub mod state;
pub mod tensors;
pub mod traces;
pub mod without_checkpoint;
mod without_record;

pub use folder::RunFolder;
pub use record::RunRecord;
