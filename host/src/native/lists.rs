//! Operations on lists of tensors, in few kernels; on an empty list they do nothing.

use super::{NativeError, Pointer, Result, check, read_list};
use std::ffi::c_char;
use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn shim_foreach_mul_scalar(tensors: *const Pointer, n: usize, factor: f64) -> *mut c_char;
    fn shim_foreach_mul_tensor(tensors: *const Pointer, n: usize, factor: *const C_tensor) -> *mut c_char;
    fn shim_foreach_copy(tensors: *const Pointer, sources: *const Pointer, n: usize) -> *mut c_char;
    fn shim_drop_gradients(tensors: *const Pointer, n: usize);
    fn shim_foreach_add_scalar(tensors: *const Pointer, n: usize, term: f64) -> *mut c_char;
    fn shim_foreach_add(tensors: *const Pointer, others: *const Pointer, n: usize, alpha: f64) -> *mut c_char;
    fn shim_foreach_addcmul(
        tensors: *const Pointer,
        a: *const Pointer,
        b: *const Pointer,
        n: usize,
        value: f64,
    ) -> *mut c_char;
    fn shim_foreach_addcdiv(
        tensors: *const Pointer,
        a: *const Pointer,
        b: *const Pointer,
        n: usize,
        value: f64,
    ) -> *mut c_char;
    fn shim_foreach_lerp(tensors: *const Pointer, ends: *const Pointer, n: usize, weight: f64) -> *mut c_char;
    fn shim_foreach_sqrt(tensors: *const Pointer, n: usize, out: *mut Pointer) -> *mut c_char;
    fn shim_foreach_norm(tensors: *const Pointer, n: usize, out: *mut Pointer) -> *mut c_char;
}

fn write_list(tensors: &mut [Tensor]) -> Vec<Pointer> {
    tensors.iter_mut().map(Tensor::as_mut_ptr).collect()
}

fn same_length(n: usize, lists: &[&[Tensor]]) -> Result<()> {
    match lists.iter().find(|list| list.len() != n) {
        Some(list) => Err(NativeError(format!("lists of {n} and {} tensors do not go together", list.len()))),
        None => Ok(()),
    }
}

/// `t ← t · factor` for every tensor, in few kernels.
pub fn foreach_mul_(tensors: &mut [Tensor], factor: f64) -> Result<()> {
    let list = write_list(tensors);
    // SAFETY: `list` holds valid tensors that outlive the call, borrowed exclusively.
    unsafe { check(shim_foreach_mul_scalar(list.as_ptr(), list.len(), factor)) }
}

/// `t ← t · factor` for every tensor; `factor` has one element and is not waited for.
pub fn foreach_mul_tensor_(tensors: &mut [Tensor], factor: &Tensor) -> Result<()> {
    let list = write_list(tensors);
    // SAFETY: `list` and `factor` are valid tensors that outlive the call; those of `list` are borrowed exclusively.
    unsafe { check(shim_foreach_mul_tensor(list.as_ptr(), list.len(), factor.as_ptr())) }
}

/// `t ← s` for every pair; fastest where all are of one kind.
pub fn foreach_copy_(tensors: &mut [Tensor], sources: &[Tensor]) -> Result<()> {
    same_length(tensors.len(), &[sources])?;
    let (list, sources) = (write_list(tensors), read_list(sources));
    // SAFETY: both lists have the stated length and hold valid tensors that outlive the call.
    unsafe { check(shim_foreach_copy(list.as_ptr(), sources.as_ptr(), list.len())) }
}

/// Leaves every tensor without a gradient, as before its first backward pass; the memory is freed.
pub fn drop_gradients(tensors: &mut [Tensor]) {
    let list = write_list(tensors);
    // SAFETY: `list` holds valid tensors that outlive the call, borrowed exclusively.
    unsafe { shim_drop_gradients(list.as_ptr(), list.len()) };
}

/// `t ← t + term` for every tensor.
pub fn foreach_add_scalar_(tensors: &mut [Tensor], term: f64) -> Result<()> {
    let list = write_list(tensors);
    // SAFETY: `list` holds valid tensors that outlive the call, borrowed exclusively.
    unsafe { check(shim_foreach_add_scalar(list.as_ptr(), list.len(), term)) }
}

/// `t ← t + alpha · o` for every pair.
pub fn foreach_add_(tensors: &mut [Tensor], others: &[Tensor], alpha: f64) -> Result<()> {
    same_length(tensors.len(), &[others])?;
    let (list, others) = (write_list(tensors), read_list(others));
    // SAFETY: both lists have the stated length and hold valid tensors that outlive the call.
    unsafe { check(shim_foreach_add(list.as_ptr(), others.as_ptr(), list.len(), alpha)) }
}

/// `t ← t + value · a · b` for every triple.
pub fn foreach_addcmul_(tensors: &mut [Tensor], a: &[Tensor], b: &[Tensor], value: f64) -> Result<()> {
    same_length(tensors.len(), &[a, b])?;
    let (list, a, b) = (write_list(tensors), read_list(a), read_list(b));
    // SAFETY: the lists have the stated length and hold valid tensors that outlive the call.
    unsafe { check(shim_foreach_addcmul(list.as_ptr(), a.as_ptr(), b.as_ptr(), list.len(), value)) }
}

/// `t ← t + value · a / b` for every triple.
pub fn foreach_addcdiv_(tensors: &mut [Tensor], a: &[Tensor], b: &[Tensor], value: f64) -> Result<()> {
    same_length(tensors.len(), &[a, b])?;
    let (list, a, b) = (write_list(tensors), read_list(a), read_list(b));
    // SAFETY: the lists have the stated length and hold valid tensors that outlive the call.
    unsafe { check(shim_foreach_addcdiv(list.as_ptr(), a.as_ptr(), b.as_ptr(), list.len(), value)) }
}

/// `t ← t + weight · (e − t)` for every pair.
pub fn foreach_lerp_(tensors: &mut [Tensor], ends: &[Tensor], weight: f64) -> Result<()> {
    same_length(tensors.len(), &[ends])?;
    let (list, ends) = (write_list(tensors), read_list(ends));
    // SAFETY: both lists have the stated length and hold valid tensors that outlive the call.
    unsafe { check(shim_foreach_lerp(list.as_ptr(), ends.as_ptr(), list.len(), weight)) }
}

/// `√t` of every tensor, as new tensors.
pub fn foreach_sqrt(tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    let list = read_list(tensors);
    let mut out = vec![std::ptr::null_mut(); list.len()];
    // SAFETY: `list` holds valid tensors; on success every place of `out` holds a new tensor that only we own.
    unsafe {
        check(shim_foreach_sqrt(list.as_ptr(), list.len(), out.as_mut_ptr()))?;
        Ok(out.into_iter().map(|t| Tensor::from_ptr(t)).collect())
    }
}

/// The L2 norm of every tensor, as scalars (tensors without dimensions) on the same device.
pub fn foreach_norm(tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    let list = read_list(tensors);
    let mut out = vec![std::ptr::null_mut(); list.len()];
    // SAFETY: `list` holds valid tensors; on success every place of `out` holds a new tensor that only we own.
    unsafe {
        check(shim_foreach_norm(list.as_ptr(), list.len(), out.as_mut_ptr()))?;
        Ok(out.into_iter().map(|t| Tensor::from_ptr(t)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn values(t: &Tensor) -> Vec<f64> {
        Vec::try_from(t.to_kind(Kind::Double).reshape([-1])).unwrap()
    }

    fn lists() -> (Vec<Tensor>, Vec<Tensor>, Vec<Tensor>) {
        let t = vec![Tensor::from_slice(&[1.0f32, 2.0]), Tensor::from_slice(&[4.0f32])];
        let a = vec![Tensor::from_slice(&[3.0f32, 5.0]), Tensor::from_slice(&[7.0f32])];
        let b = vec![Tensor::from_slice(&[2.0f32, 4.0]), Tensor::from_slice(&[0.5f32])];
        (t, a, b)
    }

    fn all(tensors: &[Tensor]) -> Vec<f64> {
        tensors.iter().flat_map(values).collect()
    }

    #[test]
    fn list_operations_follow_their_formulas() {
        let (mut t, a, b) = lists();
        foreach_mul_(&mut t, 2.0).unwrap();
        assert_eq!(all(&t), [2.0, 4.0, 8.0]);
        foreach_add_(&mut t, &a, -1.0).unwrap();
        assert_eq!(all(&t), [-1.0, -1.0, 1.0]);
        foreach_addcmul_(&mut t, &a, &b, 0.5).unwrap();
        assert_eq!(all(&t), [2.0, 9.0, 2.75]);
        foreach_addcdiv_(&mut t, &a, &b, 2.0).unwrap();
        assert_eq!(all(&t), [5.0, 11.5, 30.75]);
        foreach_add_scalar_(&mut t, 0.25).unwrap();
        assert_eq!(all(&t), [5.25, 11.75, 31.0]);
        foreach_lerp_(&mut t, &b, 0.5).unwrap();
        assert_eq!(all(&t), [3.625, 7.875, 15.75]);
    }

    #[test]
    fn lists_are_copied_whatever_their_kinds_and_scaled_by_a_tensor() {
        let (mut t, a, _) = lists();
        foreach_mul_tensor_(&mut t, &Tensor::from(0.5f32)).unwrap();
        assert_eq!(all(&t), [0.5, 1.0, 2.0]);
        foreach_copy_(&mut t, &a).unwrap();
        assert_eq!(all(&t), [3.0, 5.0, 7.0]);
        let mut mixed = [Tensor::from(1i64), Tensor::from(1.0f32)];
        foreach_copy_(&mut mixed, &[Tensor::from(7i64), Tensor::from(0.5f32)]).unwrap();
        assert_eq!(all(&mixed), [7.0, 0.5]);
        assert_eq!(mixed[0].kind(), Kind::Int64);
    }

    #[test]
    fn a_dropped_gradient_is_undefined_until_the_next_backward_pass() {
        let mut w = [Tensor::from(2.0f32).set_requires_grad(true)];
        (&w[0] * 3.0).backward();
        drop_gradients(&mut w);
        assert!(!w[0].grad().defined());
        (&w[0] * 5.0).backward();
        assert_eq!(values(&w[0].grad()), [5.0]);
    }

    #[test]
    fn square_roots_and_norms_come_back_as_new_tensors() {
        let t = vec![Tensor::from_slice(&[9.0f32, 16.0]), Tensor::from_slice(&[4.0f32])];
        assert_eq!(all(&foreach_sqrt(&t).unwrap()), [3.0, 4.0, 2.0]);
        let norms = foreach_norm(&[Tensor::from_slice(&[3.0f32, -4.0]), Tensor::from_slice(&[2.0f32])]).unwrap();
        assert_eq!(all(&norms), [5.0, 2.0]);
        assert_eq!(norms[0].dim(), 0);
    }

    #[test]
    fn empty_lists_are_left_alone() {
        foreach_mul_(&mut [], 2.0).unwrap();
        foreach_add_(&mut [], &[], 1.0).unwrap();
        assert!(foreach_sqrt(&[]).unwrap().is_empty());
        assert!(foreach_norm(&[]).unwrap().is_empty());
    }

    #[test]
    fn lists_of_different_lengths_are_refused() {
        let (mut t, a, _) = lists();
        let e = foreach_add_(&mut t, &a[..1], 1.0).unwrap_err().to_string();
        assert_eq!(e, "libtorch: lists of 2 and 1 tensors do not go together");
    }

    #[test]
    fn shapes_that_do_not_go_together_are_an_error() {
        let mut t = vec![Tensor::ones([2], (Kind::Float, Device::Cpu))];
        let e = foreach_add_(&mut t, &[Tensor::ones([3], (Kind::Float, Device::Cpu))], 1.0).unwrap_err().to_string();
        assert!(e.contains("size of tensor a (2) must match the size of tensor b (3)"), "{e}");
        assert!(!e.contains("Exception raised from"), "{e}");
    }
}
