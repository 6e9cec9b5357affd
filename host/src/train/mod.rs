//! Training: the loop, what it measures on the way, and what may interrupt it.

pub mod build;
mod collapse;
pub mod compute;
mod divergence;
mod drawn_ahead;
pub mod engine;
mod evaluation;
pub mod exchange;
pub mod gallery;
mod gradients;
mod head_batches;
pub mod initial_weights;
mod log_window;
mod loss_scale;
pub mod observer;
pub mod plan;
mod position;
pub mod profile;
pub mod rehearsal;
mod run;
mod shown_views;
pub mod signals;
mod trial;

pub use run::Run;
pub use shown_views::ShownViews;
