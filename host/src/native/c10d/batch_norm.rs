//! Batch norm over the rows of all processes.

use super::group::{Group, RawGroup};
use crate::native::{Result, check};
use std::ffi::c_char;
use std::marker::PhantomData;

unsafe extern "C" {
    fn world_synchronise(group: *mut RawGroup) -> *mut c_char;
}

/// While it lives, batch norms of this thread's training passes normalise by the rows of all processes.
#[must_use = "batch norms are synchronised until it is dropped"]
pub struct Synchronised<'a> {
    group: PhantomData<&'a Group>,
    // The scope is a thread's own state.
    not_send: PhantomData<*const ()>,
}

impl<'a> Synchronised<'a> {
    /// Begins.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn over(group: &'a Group) -> Result<Self> {
        // SAFETY: the group outlives the scope.
        unsafe { check(world_synchronise(group.0))? };
        Ok(Self { group: PhantomData, not_send: PhantomData })
    }
}

impl Drop for Synchronised<'_> {
    fn drop(&mut self) {
        // SAFETY: null ends the scope.
        if let Err(error) = unsafe { check(world_synchronise(std::ptr::null_mut())) } {
            tracing::error!("batch norms stay synchronised: {error}");
        }
    }
}
