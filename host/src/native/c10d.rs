//! libtorch's own package for several processes, c10d, over Gloo: a store of texts, groups and their collectives, the
//! reducer of gradients, and batch norm over all processes.
//!
//! The C++ half is `native/world.cpp`.

use super::{NativeError, Pointer, Result, check, read_list, take_text};
use std::ffi::{CString, c_char, c_int};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;
use tch::Tensor;
use torch_sys::C_tensor;

/// What C++ holds; only pointers to it are seen here.
macro_rules! opaque {
    ($($name:ident),*) => { $(#[repr(C)] struct $name { _private: [u8; 0] })* };
}

opaque!(RawStore, RawGroup, RawWork, RawReducer);

unsafe extern "C" {
    fn world_is_broken() -> bool;
    fn world_store(
        host: *const c_char,
        port: u16,
        serve: bool,
        listen_fd: c_int,
        ms: i64,
        out: *mut *mut RawStore,
    ) -> *mut c_char;
    fn world_store_free(store: *mut RawStore);
    fn world_store_set(store: *mut RawStore, key: *const c_char, value: *const c_char) -> *mut c_char;
    fn world_store_get(store: *mut RawStore, key: *const c_char, out: *mut *mut c_char) -> *mut c_char;
    fn world_store_claim(
        store: *mut RawStore,
        key: *const c_char,
        value: *const c_char,
        out: *mut *mut c_char,
    ) -> *mut c_char;
    fn world_store_add(store: *mut RawStore, key: *const c_char, amount: i64, out: *mut i64) -> *mut c_char;
    fn world_store_has(store: *mut RawStore, key: *const c_char, out: *mut bool) -> *mut c_char;
    fn world_store_wait(store: *mut RawStore, key: *const c_char, ms: i64, out: *mut bool) -> *mut c_char;
    fn world_group(
        store: *mut RawStore,
        name: *const c_char,
        rank: c_int,
        size: c_int,
        hostname: *const c_char,
        ms: i64,
        out: *mut *mut RawGroup,
    ) -> *mut c_char;
    fn world_has_nccl() -> bool;
    fn world_use_nccl(
        group: *mut RawGroup,
        store: *mut RawStore,
        name: *const c_char,
        rank: c_int,
        size: c_int,
        ms: i64,
    ) -> *mut c_char;
    fn world_is_overdue(ms: i64) -> bool;
    fn world_group_free(group: *mut RawGroup);
    fn world_gather(group: *mut RawGroup, rows: *const C_tensor, out: *mut Pointer) -> *mut c_char;
    fn world_sum(group: *mut RawGroup, tensor: *const C_tensor) -> *mut c_char;
    fn world_broadcast(group: *mut RawGroup, tensor: *const C_tensor) -> *mut c_char;
    fn world_max(group: *mut RawGroup, tensor: *const C_tensor, out: *mut *mut RawWork) -> *mut c_char;
    fn world_wait(work: *mut RawWork) -> *mut c_char;
    fn world_watch(group: *mut RawGroup, process: c_int) -> *mut c_char;
    fn world_synchronise(group: *mut RawGroup) -> *mut c_char;
    fn world_reducer(
        group: *mut RawGroup,
        parameters: *const Pointer,
        n: usize,
        out: *mut *mut RawReducer,
    ) -> *mut c_char;
    fn world_reducer_arm(reducer: *mut RawReducer, output: *const C_tensor) -> *mut c_char;
    fn world_reducer_free(reducer: *mut RawReducer) -> *mut c_char;
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

/// Texts by key, which one process serves and all reach by TCP. Requests of one value follow each other.
pub struct Store(*mut RawStore);

// SAFETY: c10d's TCPStore guards its connection by a mutex.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

/// Who serves a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// This process.
    Here,
    /// This process, at a socket that listens already.
    At(RawFd),
    /// Another process.
    Elsewhere,
}

impl Store {
    /// Serves or joins the store at `host` and `port`; waits `patience` for the server, and as long for each answer.
    ///
    /// # Errors
    /// A port in use, or no server.
    pub fn open(host: &str, port: u16, server: Server, patience: Duration) -> Result<Self> {
        let host = c_text(host)?;
        let (serve, fd) = match server {
            Server::Here => (true, -1),
            Server::At(fd) => (true, fd),
            Server::Elsewhere => (false, -1),
        };
        let mut out = std::ptr::null_mut();
        // SAFETY: the text and `out` outlive the call; on success `out` is a new store that only we own.
        unsafe { check(world_store(host.as_ptr(), port, serve, fd, milliseconds(patience), &mut out))? };
        Ok(Self(out))
    }

    /// Sets a value.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (c_text(key)?, c_text(value)?);
        // SAFETY: the store is ours, the texts outlive the call.
        unsafe { check(world_store_set(self.0, key.as_ptr(), value.as_ptr())) }
    }

    /// A value, once there is one.
    ///
    /// # Errors
    /// A server that is gone, or none for as long as the store has patience.
    pub fn get(&self, key: &str) -> Result<String> {
        let (key, mut out) = (c_text(key)?, std::ptr::null_mut());
        // SAFETY: as in `set`; on success `out` is a text that the shim hands over.
        unsafe {
            check(world_store_get(self.0, key.as_ptr(), &mut out))?;
            Ok(take_text(out))
        }
    }

    /// Sets a value where there is none; returns the one that there is now.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn claim(&self, key: &str, value: &str) -> Result<String> {
        let (key, value, mut out) = (c_text(key)?, c_text(value)?, std::ptr::null_mut());
        // SAFETY: as in `get`.
        unsafe {
            check(world_store_claim(self.0, key.as_ptr(), value.as_ptr(), &mut out))?;
            Ok(take_text(out))
        }
    }

    /// Adds to a number, 0 at first, and returns it.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn add(&self, key: &str, amount: i64) -> Result<i64> {
        let (key, mut out) = (c_text(key)?, 0);
        // SAFETY: as in `set`; `out` outlives the call.
        unsafe { check(world_store_add(self.0, key.as_ptr(), amount, &mut out))? };
        Ok(out)
    }

    /// Whether there is a value.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn has(&self, key: &str) -> Result<bool> {
        let (key, mut out) = (c_text(key)?, false);
        // SAFETY: as in `add`.
        unsafe { check(world_store_has(self.0, key.as_ptr(), &mut out))? };
        Ok(out)
    }

    /// Whether there is a value within this time.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn wait(&self, key: &str, time: Duration) -> Result<bool> {
        let (key, mut out) = (c_text(key)?, false);
        // SAFETY: as in `add`.
        unsafe { check(world_store_wait(self.0, key.as_ptr(), milliseconds(time), &mut out))? };
        Ok(out)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: the store is ours and not used again.
        unsafe { world_store_free(self.0) };
    }
}

/// Processes that compute together. A collective is called by all of them, in the same order.
pub struct Group(*mut RawGroup);

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

    /// From now on, collectives of CUDA tensors are NCCL's. No call waits for them or fails with them: [`is_overdue`] tells, and NCCL
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

#[cfg(test)]
mod tests;
