//! The library against independent numbers, hand-worked cases and a plugin that misbehaves; in one program, so that it is
//! linked once.

#![allow(clippy::unwrap_used, reason = "helper functions of a test may fail as tests do")]

mod augment;
mod augment_common;
mod augment_films;
mod augment_views;
mod config_common;
mod config_errors;
mod config_layers;
mod config_mistakes;
mod config_show;
mod learn;
mod packed_cache;
mod plugin_boundary;
