//! Trains image encoders without labels: SimCLR over data sets and encoders that live in plugins.
//!
//! The modules are the stages that data flows through, and a stage only knows the ones before it.

pub mod config;

pub mod augment;

pub mod device;
pub mod native;
