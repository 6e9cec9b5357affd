//! Runs the built `xtask` with a cargo, a pip and a compiler that only write down how they are called.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod build;
mod setup;
