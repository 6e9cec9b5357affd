use abi_stable::{std_types::RString, StableAbi};
use std::{ffi::c_void, marker::PhantomData};

/// A pointer to an `at::Tensor` handle that is freed by the side that made it.
#[repr(C)]
#[derive(StableAbi)]
pub struct OwnedTensor {
    pointer: *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

// SAFETY: an `at::Tensor` handle may move between threads (`tch::Tensor` is `Send`), and `free` has no thread affinity.
unsafe impl Send for OwnedTensor {}

impl Drop for OwnedTensor {
    fn drop(&mut self) {
        // SAFETY: `pointer` and `free` come from one `OwnedTensor::new`, and nothing else frees the handle.
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

/// A parameter or a buffer: its metadata as JSON and its handle.
#[repr(C)]
#[derive(StableAbi)]
pub struct NamedTensor {
    /// `{"name": …}`, and for a parameter `"kind": …`.
    pub metadata: RString,
    /// Shares its storage with the encoder's own tensor.
    pub tensor: OwnedTensor,
}

#[cfg(feature = "encoder")]
mod convert {
    use super::{BorrowedTensor, OwnedTensor};
    use std::{ffi::c_void, marker::PhantomData};
    use tch::Tensor;

    unsafe extern "C" fn free(pointer: *mut c_void) {
        // SAFETY: called once, by `OwnedTensor::drop`, with the pointer that `OwnedTensor::new` took from a `Tensor`.
        drop(unsafe { Tensor::from_ptr(pointer.cast()) });
    }

    impl OwnedTensor {
        /// Hands over a handle.
        pub fn new(tensor: Tensor) -> Self {
            let mut tensor = std::mem::ManuallyDrop::new(tensor);
            Self { pointer: tensor.as_mut_ptr().cast(), free }
        }

        /// A handle of this side's own to the same tensor; the sender's is freed by the sender's function.
        pub fn into_tensor(self) -> Tensor {
            // SAFETY: `pointer` is a live handle of the same libtorch, whose version was compared before loading.
            unsafe { Tensor::clone_from_ptr(self.pointer.cast()) }
        }
    }

    impl<'a> BorrowedTensor<'a> {
        /// Lends a tensor for a call.
        pub fn new(tensor: &'a Tensor) -> Self {
            Self { pointer: tensor.as_ptr().cast_mut().cast(), lifetime: PhantomData }
        }

        /// A handle of this side's own to the same tensor.
        pub fn to_tensor(&self) -> Tensor {
            // SAFETY: the lender keeps the handle alive for `'a`; both sides use the same libtorch.
            unsafe { Tensor::clone_from_ptr(self.pointer.cast()) }
        }
    }
}
