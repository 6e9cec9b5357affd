//! Trains image encoders without labels.

pub mod plugin;
