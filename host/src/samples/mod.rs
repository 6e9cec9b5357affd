//! The data sets of a run: which samples each of its splits holds, and what of them the encoder, the head and the probes
//! get.

pub mod data_set;
pub mod data_sets;
pub mod splits;
