//! Methods, optimisers and probes against independent numbers and hand-worked cases.
//!
//! The numbers in `../fixtures/learn` come from the script beside them.

mod byol;
mod gradient_cache;
mod losses;
mod method;
mod nt_xent;
mod optim;
mod probe;
mod scores;
mod support;
