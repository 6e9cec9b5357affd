use abi_stable::{std_types::RString, StableAbi};
use std::{ffi::c_void, marker::PhantomData};

/// A pointer to an `at::Tensor` handle that is freed by the side that made it.
#[repr(C)]
#[derive(StableAbi)]
pub struct OwnedTensor {
    pointer: *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

impl OwnedTensor {
    /// Hands over a handle.
    ///
    /// # Safety
    /// `pointer` is an `at::Tensor*` that nothing else frees, and `free` frees it, on any thread.
    pub unsafe fn from_raw(pointer: *mut c_void, free: unsafe extern "C" fn(*mut c_void)) -> Self {
        Self { pointer, free }
    }

    /// The handle, an `at::Tensor*`, alive as long as `self`.
    pub fn as_ptr(&self) -> *mut c_void {
        self.pointer
    }
}

// SAFETY: an `at::Tensor` handle may move between threads (`tch::Tensor` is `Send`), and `free` has no thread affinity.
unsafe impl Send for OwnedTensor {}

impl Drop for OwnedTensor {
    fn drop(&mut self) {
        // SAFETY: `pointer` and `free` come from one `OwnedTensor::from_raw`, and nothing else frees the handle.
        unsafe { (self.free)(self.pointer) }
    }
}

/// A pointer to an `at::Tensor` handle that outlives the call.
#[repr(C)]
#[derive(StableAbi)]
pub struct BorrowedTensor<'a> {
    pointer: *mut c_void,
    lifetime: PhantomData<&'a ()>,
}

impl BorrowedTensor<'_> {
    /// Lends a handle.
    ///
    /// # Safety
    /// `pointer` is an `at::Tensor*` that lives as long as the lifetime that the caller gives the result.
    pub unsafe fn from_raw(pointer: *mut c_void) -> Self {
        Self { pointer, lifetime: PhantomData }
    }

    /// The handle, an `at::Tensor*`, alive as long as `self`.
    pub fn as_ptr(&self) -> *mut c_void {
        self.pointer
    }
}

/// A parameter or a buffer: its metadata as JSON and its handle.
#[repr(C)]
#[derive(StableAbi)]
pub struct NamedTensor {
    /// `{"name": …}`, and for a parameter `"kind": …`.
    pub metadata: RString,
    /// Shares its storage with the encoder's own tensor.
    pub tensor: OwnedTensor,
}
