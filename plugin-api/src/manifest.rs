//! What the host learns about a plugin without running it.

pub use selfsame_abi::{ABI_VERSION, LAYOUT_DIGEST, MANIFEST_SECTION};
use serde::{Deserialize, Serialize};

/// The compiler that built this crate.
pub const RUSTC: &str = env!("SELFSAME_RUSTC");

/// The target triple that this crate was built for.
pub const TARGET: &str = env!("SELFSAME_TARGET");

/// The text in the section [`MANIFEST_SECTION`] of a plugin, written as JSON by [`export_plugin!`](crate::export_plugin).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`ABI_VERSION`] of the SDK it was built with.
    pub abi: u32,
    /// [`LAYOUT_DIGEST`] of that version; empty in files from before it was frozen.
    #[serde(default)]
    pub layout: String,
    /// The plugin crate's name.
    pub name: String,
    /// The plugin crate's version.
    pub version: String,
    /// Names of the data sets it provides.
    pub datasets: Vec<String>,
    /// Names of the encoders it provides.
    pub encoders: Vec<String>,
    /// `rustc --version`; for information.
    pub rustc: String,
    /// Target triple.
    pub target: String,
    /// `unwind` or `abort`.
    pub panic: String,
    /// The libtorch that its encoders are bound to; none without encoders.
    pub libtorch: Option<String>,
}
