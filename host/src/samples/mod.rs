//! The data sets of a run: which samples each of its splits holds, and what of them the encoder, the head and the probes
//! get.

pub mod cache;
mod data_set;
mod data_sets;
mod requests;
mod skipped;
pub mod splits;
mod views;

pub use data_set::Data;
pub use data_sets::{RunData, load};
pub use requests::{label, prepare, request_of, requests};
pub use skipped::Skipped;
pub use views::{RunViews, views};
