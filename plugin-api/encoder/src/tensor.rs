//! Tensors across the boundary: handles of one libtorch that both sides share.

use selfsame_abi::{BorrowedTensor, OwnedTensor};
use std::ffi::c_void;
use tch::Tensor;

unsafe extern "C" fn free(pointer: *mut c_void) {
    // SAFETY: called once, when the `OwnedTensor` is dropped, with the pointer that `own_tensor` took from a `Tensor`.
    drop(unsafe { Tensor::from_ptr(pointer.cast()) });
}

/// Hands over a handle.
#[doc(hidden)]
pub fn own_tensor(tensor: Tensor) -> OwnedTensor {
    let mut tensor = std::mem::ManuallyDrop::new(tensor);
    // SAFETY: the handle is not dropped here, and `free` makes it a `Tensor` again, which may happen on any thread.
    unsafe { OwnedTensor::from_raw(tensor.as_mut_ptr().cast(), free) }
}

/// A handle of this side's own to the same tensor; the sender's is freed by the sender's function.
#[doc(hidden)]
pub fn take_tensor(tensor: OwnedTensor) -> Tensor {
    // SAFETY: a live handle of the same libtorch, whose version was compared before loading.
    unsafe { Tensor::clone_from_ptr(tensor.as_ptr().cast()) }
}

/// Lends a tensor for a call.
#[doc(hidden)]
pub fn borrow_tensor(tensor: &Tensor) -> BorrowedTensor<'_> {
    // SAFETY: the tensor outlives the lifetime of the result, which is its own.
    unsafe { BorrowedTensor::from_raw(tensor.as_ptr().cast_mut().cast()) }
}

/// A handle of this side's own to a lent tensor.
#[doc(hidden)]
pub fn lent_tensor(tensor: &BorrowedTensor<'_>) -> Tensor {
    // SAFETY: the lender keeps the handle alive for the call; both sides use the same libtorch.
    unsafe { Tensor::clone_from_ptr(tensor.as_ptr().cast()) }
}
