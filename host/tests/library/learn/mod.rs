//! Methods, optimisers and probes against independent numbers and hand-worked cases.
//!
//! The numbers in `../fixtures/learn` come from the scripts beside them.

mod byol;
mod dino;
mod effective_rank;
mod followers;
mod gradient_cache;
mod lejepa;
mod losses;
mod method;
mod moco;
mod multi_crop;
mod nt_xent;
mod optim;
mod probe;
mod scores;
mod simsiam;
mod support;
