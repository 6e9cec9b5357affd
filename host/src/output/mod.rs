//! What a run leaves for people: metrics, progress, reports, exported encoders.

pub mod bars;
pub mod contact_sheet;
pub mod counter;
mod curves;
pub mod embeddings;
pub mod events;
mod facts;
mod gallery;
pub mod host_services;
mod html;
pub mod logging;
pub mod picture;
pub mod predictions;
pub mod progress;
pub mod recorder;
pub mod report;
pub mod runs;
pub mod scores;
pub mod stats_table;
pub mod tensorboard;
pub mod terminal;
pub mod timm;
pub mod torchscript;
mod views;
