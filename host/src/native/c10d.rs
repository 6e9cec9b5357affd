//! libtorch's own package for several processes, c10d, over Gloo and NCCL.
//!
//! The C++ half is `native/world.cpp`.

mod batch_norm;
mod group;
mod reducer;
mod store;

pub use batch_norm::Synchronised;
pub use group::{Group, Pending};
pub use reducer::Reducer;
pub use store::{Server, Store};

use super::{NativeError, Result};
use std::ffi::CString;
use std::time::Duration;

unsafe extern "C" {
    fn world_is_broken() -> bool;
    fn world_has_nccl() -> bool;
    fn world_is_overdue(ms: i64) -> bool;
}

/// Whether a collective of this process has failed within a forward or a backward pass, whose error then is another
/// stage's.
pub fn is_broken() -> bool {
    // SAFETY: reads one atomic.
    unsafe { world_is_broken() }
}

/// Whether the CUDA half of libtorch that is loaded has NCCL.
pub fn has_nccl() -> bool {
    // SAFETY: looks for names among those of the libraries that are loaded.
    unsafe { world_has_nccl() }
}

/// Whether a collective of NCCL has taken longer than `time`, once all before it had ended. To be asked again and again, by
/// one thread.
pub fn is_overdue(time: Duration) -> bool {
    // SAFETY: looks at a list that C++ guards by a lock.
    unsafe { world_is_overdue(milliseconds(time)) }
}

fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| NativeError(format!("`{text:?}` has a NUL in it")))
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
