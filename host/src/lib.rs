//! Trains image encoders without labels: SimCLR over data sets and encoders that live in plugins.
//!
//! The modules are the stages that data flows through, and a stage only knows the ones before it.

pub mod random;

pub mod augment;

pub mod device;
pub mod native;

pub mod config;
pub mod plugin;

pub mod data;

pub mod augment;

pub mod model;

pub mod method;

pub mod optim;

pub mod probe;

pub mod train;

pub mod output;

pub mod cli;
