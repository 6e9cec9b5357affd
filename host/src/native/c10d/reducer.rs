//! Gradients, summed over the processes.

use super::group::{Group, RawGroup};
use crate::native::{Pointer, Result, check, read_list};
use std::ffi::c_char;
use tch::Tensor;
use torch_sys::C_tensor;

/// What C++ holds; only pointers to it are seen here.
#[repr(C)]
struct RawReducer {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn world_reducer(
        group: *mut RawGroup,
        parameters: *const Pointer,
        n: usize,
        out: *mut *mut RawReducer,
    ) -> *mut c_char;
    fn world_reducer_arm(reducer: *mut RawReducer, output: *const C_tensor) -> *mut c_char;
    fn world_reducer_free(reducer: *mut RawReducer) -> *mut c_char;
}

/// Sums gradients over the processes while a backward pass goes on, in buckets of 25 MiB, the first of 1 MiB.
pub struct Reducer(*mut RawReducer);

impl Reducer {
    /// Of parameters that require gradients, in the same order everywhere; at least one.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(group: &Group, parameters: &[Tensor]) -> Result<Self> {
        let list = read_list(parameters);
        let mut out = std::ptr::null_mut();
        // SAFETY: the parameters outlive the call, the group is shared with C++; on success `out` is ours.
        unsafe { check(world_reducer(group.0, list.as_ptr(), list.len(), &mut out))? };
        Ok(Self(out))
    }

    /// The backward pass from `output` that comes next leaves the sums, with what earlier ones have left here.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn arm(&mut self, output: &Tensor) -> Result<()> {
        // SAFETY: reducer and tensor outlive the call.
        unsafe { check(world_reducer_arm(self.0, output.as_ptr())) }
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: the reducer is ours and not used again.
        if let Err(error) = unsafe { check(world_reducer_free(self.0)) } {
            tracing::debug!("the reducer of gradients: {error}");
        }
    }
}
