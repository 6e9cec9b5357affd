//! What a run leaves for people: metrics, progress, reports, exported encoders.

mod curves;
pub mod export;
pub mod host_services;
mod html;
pub mod logging;
pub mod metrics;
pub mod progress;
pub mod recorder;
pub mod report;
pub mod tensorboard;
pub mod torchscript;
