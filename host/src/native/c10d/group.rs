//! Processes that compute together, and their collectives.

use super::store::{RawStore, Store};
use super::{c_text, milliseconds};
use crate::native::{Pointer, Result, check};
use std::ffi::{c_char, c_int};
use std::net::SocketAddr;
use std::time::Duration;
use tch::Tensor;
use torch_sys::C_tensor;

/// What C++ holds; only pointers to it are seen here.
#[repr(C)]
pub(super) struct RawGroup {
    _private: [u8; 0],
}

/// What C++ holds; only pointers to it are seen here.
#[repr(C)]
struct RawWork {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn world_group(
        store: *mut RawStore,
        name: *const c_char,
        rank: c_int,
        size: c_int,
        hostname: *const c_char,
        ms: i64,
        out: *mut *mut RawGroup,
    ) -> *mut c_char;
    fn world_use_nccl(
        group: *mut RawGroup,
        store: *mut RawStore,
        name: *const c_char,
        rank: c_int,
        size: c_int,
        ms: i64,
    ) -> *mut c_char;
    fn world_group_free(group: *mut RawGroup);
    fn world_gather(group: *mut RawGroup, rows: *const C_tensor, out: *mut Pointer) -> *mut c_char;
    fn world_sum(group: *mut RawGroup, tensor: *const C_tensor) -> *mut c_char;
    fn world_broadcast(group: *mut RawGroup, tensor: *const C_tensor) -> *mut c_char;
    fn world_max(group: *mut RawGroup, tensor: *const C_tensor, out: *mut *mut RawWork) -> *mut c_char;
    fn world_wait(work: *mut RawWork) -> *mut c_char;
    fn world_watch(group: *mut RawGroup, process: c_int) -> *mut c_char;
}

/// Processes that compute together. A collective is called by all of them, in the same order.
pub struct Group(pub(super) *mut RawGroup);

// SAFETY: Gloo's process group may be called from several threads.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

impl Group {
    /// The group `name` of `size` processes, of which this is the one with `rank`, reached at `address`; none: at the network
    /// interface of `GLOO_SOCKET_IFNAME`. A collective fails after `timeout`.
    ///
    /// # Errors
    /// Processes that do not come, or cannot be reached.
    pub fn join(
        store: &Store,
        name: &str,
        (rank, size): (usize, usize),
        address: Option<SocketAddr>,
        timeout: Duration,
    ) -> Result<Self> {
        let name = c_text(name)?;
        let address = address.map(|address| c_text(&address.ip().to_string())).transpose()?;
        let hostname = address.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        let mut out = std::ptr::null_mut();
        let (rank, size) = (rank as c_int, size as c_int);
        // SAFETY: store, texts and `out` outlive the call; on success `out` is a new group that only we own.
        unsafe { check(world_group(store.0, name.as_ptr(), rank, size, hostname, milliseconds(timeout), &mut out))? };
        Ok(Self(out))
    }

    /// From now on, collectives of CUDA tensors are NCCL's. No call waits for them or fails with them: [`super::is_overdue`] tells, and NCCL
    /// itself ends the process where one takes longer than `timeout`. Called by all, each of which has a GPU of its own; ranks
    /// and sizes as in [`join`](Self::join), `name` another one.
    ///
    /// # Errors
    /// A libtorch without NCCL, and what NCCL refuses.
    pub fn use_nccl(&self, store: &Store, name: &str, (rank, size): (usize, usize), timeout: Duration) -> Result<()> {
        let name = c_text(name)?;
        let (rank, size) = (rank as c_int, size as c_int);
        // SAFETY: group, store and text outlive the call.
        unsafe { check(world_use_nccl(self.0, store.0, name.as_ptr(), rank, size, milliseconds(timeout))) }
    }

    /// The rows of all processes, those of rank 0 first; `rows` is `[n, …]`, alike everywhere.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn gather(&self, rows: &Tensor) -> Result<Tensor> {
        let mut out = std::ptr::null_mut();
        // SAFETY: group and tensor outlive the call; on success `out` is a new tensor that only we own.
        unsafe {
            check(world_gather(self.0, rows.as_ptr(), &mut out))?;
            Ok(Tensor::from_ptr(out))
        }
    }

    /// Replaces the tensor by its sum over the processes.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn sum(&self, tensor: &mut Tensor) -> Result<()> {
        // SAFETY: group and tensor outlive the call; the tensor is borrowed exclusively.
        unsafe { check(world_sum(self.0, tensor.as_mut_ptr())) }
    }

    /// Replaces the tensor by that of rank 0.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn broadcast(&self, tensor: &mut Tensor) -> Result<()> {
        // SAFETY: as in `sum`.
        unsafe { check(world_broadcast(self.0, tensor.as_mut_ptr())) }
    }

    /// Begins to replace the tensor by its largest values over the processes.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn max(&self, tensor: Tensor) -> Result<Pending> {
        let mut out = std::ptr::null_mut();
        // SAFETY: the group outlives the call, the tensor lives in the result; on success `out` is new work of ours.
        unsafe { check(world_max(self.0, tensor.as_ptr(), &mut out))? };
        Ok(Pending { tensor, work: out })
    }

    /// Waits until a process is gone, which is the error: nothing is ever sent.
    ///
    /// # Errors
    /// Its end, or that of the group's patience.
    pub fn watch(&self, process: usize) -> Result<()> {
        // SAFETY: the group outlives the call.
        unsafe { check(world_watch(self.0, process as c_int)) }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: the group is ours and not used again.
        unsafe { world_group_free(self.0) };
    }
}

/// A collective under way.
#[must_use = "a collective is waited for by all processes"]
pub struct Pending {
    tensor: Tensor,
    work: *mut RawWork,
}

impl Pending {
    /// What came of it.
    ///
    /// # Errors
    /// As [`Group::gather`].
    pub fn wait(self) -> Result<Tensor> {
        // SAFETY: the work is ours and not used again: `self` is consumed.
        unsafe { check(world_wait(self.work))? };
        Ok(self.tensor)
    }
}
