//! Trains image encoders without labels (SimCLR, BYOL and others) over data sets and encoders that live in plugins.
//!
//! The modules are the stages that data flows through, and a stage only knows the ones before it.

pub mod augment;
pub mod cli;
pub mod config;
pub mod conformance;
pub mod data;
pub mod device;
pub mod error;
pub mod evaluate;
pub mod home;
pub mod init;
pub(crate) mod libtorch;
pub mod lock;
pub mod machine;
pub mod memory;
pub mod method;
pub mod metric;
pub mod model;
pub mod native;
pub mod optim;
pub mod output;
pub mod plugin;
pub mod probe;
pub mod random;
pub(crate) mod regular_file;
pub mod run;
pub mod samples;
mod stopwatch;
pub mod storage;
pub mod train;
pub mod world;
