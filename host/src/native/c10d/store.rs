//! Texts that processes leave for each other.

use super::{c_text, milliseconds};
use crate::native::{Result, check, take_text};
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;
use std::time::Duration;

/// What C++ holds; only pointers to it are seen here.
#[repr(C)]
pub(super) struct RawStore {
    _private: [u8; 0],
}

unsafe extern "C" {
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
}

/// Texts by key, which one process serves and all reach by TCP. Requests of one value follow each other.
pub struct Store(pub(super) *mut RawStore);

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
