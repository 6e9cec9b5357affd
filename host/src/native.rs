//! What tch does not expose of libtorch: memory formats, autocast, operations on lists of tensors, memory statistics, its
//! CUDA half.
//!
//! An operation on an empty list does nothing.
//!
//! The C++ half is `native/shim.cpp`; `c10d` has its own.

pub mod c10d;
pub mod driver;
pub mod operations;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::path::Path;
use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

/// libtorch refused an operation.
#[derive(Debug, thiserror::Error)]
#[error("libtorch: {0}")]
pub struct NativeError(String);

type Result<T> = std::result::Result<T, NativeError>;
type Pointer = *mut C_tensor;

unsafe extern "C" {
    fn shim_free(message: *mut c_char);
    fn shim_to_channels_last(tensor: *const C_tensor, out: *mut Pointer) -> *mut c_char;
    fn shim_pin(tensor: *const C_tensor, out: *mut Pointer) -> *mut c_char;
    fn shim_autocast_enter(cuda: bool, half: bool, was_enabled: *mut bool, old_dtype: *mut i8) -> *mut c_char;
    fn shim_autocast_leave(cuda: bool, was_enabled: bool, old_dtype: i8) -> *mut c_char;
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
    fn shim_cuda_peak(index: i8, out: *mut u64) -> *mut c_char;
    fn shim_cuda_free(index: i8, out: *mut u64) -> *mut c_char;
    fn shim_cuda_bfloat16(index: i8, out: *mut bool) -> *mut c_char;
    fn shim_cuda_arithmetic(tf32: bool, deterministic: bool);
    fn shim_cuda_versions(runtime: *mut i64, cudnn: *mut i64) -> *mut c_char;
    fn shim_cpu_capability(out: *mut *mut c_char) -> *mut c_char;
    fn shim_libtorch_version() -> *const c_char;
}

/// Takes a text that the shim allocated.
///
/// # Safety
/// `text` is a NUL-terminated string from the shim, not used again.
unsafe fn take_text(text: *mut c_char) -> String {
    // SAFETY: the caller hands over a string that the shim allocated with strdup and nothing else holds.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        shim_free(text);
        owned
    }
}

/// Turns what a function of the shim returned into a result.
///
/// # Safety
/// `message` came from a function of the shim and was not looked at before.
unsafe fn check(message: *mut c_char) -> Result<()> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so it is a message that the shim hands over.
    Err(NativeError(unsafe { take_text(message) }))
}

fn read_list(tensors: &[Tensor]) -> Vec<Pointer> {
    tensors.iter().map(|t| t.as_ptr().cast_mut()).collect()
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

/// The same values with channels-last strides; `tensor` itself (shared) where it has them already.
///
/// `tensor`: `[B, C, H, W]`.
pub fn to_channels_last(tensor: &Tensor) -> Result<Tensor> {
    let mut out = std::ptr::null_mut();
    // SAFETY: the tensor outlives the call; on success `out` is a new tensor that only we own.
    unsafe {
        check(shim_to_channels_last(tensor.as_ptr(), &mut out))?;
        Ok(Tensor::from_ptr(out))
    }
}

/// The same values in memory of the host that a GPU copies from by itself; needs CUDA.
pub fn pinned(tensor: &Tensor) -> Result<Tensor> {
    let mut out = std::ptr::null_mut();
    // SAFETY: the tensor outlives the call; on success `out` is a new tensor that only we own.
    unsafe {
        check(shim_pin(tensor.as_ptr(), &mut out))?;
        Ok(Tensor::from_ptr(out))
    }
}

thread_local! {
    /// Guards that live on this thread.
    static AUTOCASTS: Cell<usize> = const { Cell::new(0) };
}

/// Autocast on this thread until it is dropped; then whatever was set before holds again.
#[must_use = "autocast ends when the guard is dropped"]
#[derive(Debug)]
pub struct AutocastGuard {
    cuda: bool,
    was_enabled: bool,
    old_dtype: i8,
    // Autocast is a thread's own state, so the guard stays on its thread.
    not_send: std::marker::PhantomData<*const ()>,
}

/// Lets operations on `device` run in 16 bits where libtorch's autocast lists say so, on this thread: in float16 for
/// [`Kind::Half`], else in bfloat16. None: leaves everything as it is.
pub fn autocast(device: Device, kind: Option<Kind>) -> Result<Option<AutocastGuard>> {
    let Some(kind) = kind else { return Ok(None) };
    let cuda = device.is_cuda();
    let (mut was_enabled, mut old_dtype) = (false, 0);
    // SAFETY: both places outlive the call.
    unsafe { check(shim_autocast_enter(cuda, kind == Kind::Half, &mut was_enabled, &mut old_dtype))? };
    AUTOCASTS.set(AUTOCASTS.get() + 1);
    Ok(Some(AutocastGuard { cuda, was_enabled, old_dtype, not_send: std::marker::PhantomData }))
}

/// Whether an [`AutocastGuard`] lives on this thread.
pub fn autocast_is_on() -> bool {
    AUTOCASTS.get() > 0
}

impl Drop for AutocastGuard {
    fn drop(&mut self) {
        AUTOCASTS.set(AUTOCASTS.get() - 1);
        // SAFETY: the values are those that `shim_autocast_enter` returned, on this thread.
        if let Err(e) = unsafe { check(shim_autocast_leave(self.cuda, self.was_enabled, self.old_dtype)) } {
            tracing::error!("autocast could not be left: {e}");
        }
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

fn cuda_index(index: usize) -> Result<i8> {
    i8::try_from(index).map_err(|_| NativeError(format!("there is no CUDA device {index}")))
}

/// Most bytes that tensors held on CUDA device `index` since the start; an error before anything was computed there.
pub fn cuda_peak(index: usize) -> Result<u64> {
    let mut out = 0;
    // SAFETY: `out` outlives the call.
    unsafe { check(shim_cuda_peak(cuda_index(index)?, &mut out))? };
    Ok(out)
}

/// Bytes free on CUDA device `index`, seen over all processes; an error before anything was computed there.
pub fn cuda_free(index: usize) -> Result<u64> {
    let mut out = 0;
    // SAFETY: `out` outlives the call.
    unsafe { check(shim_cuda_free(cuda_index(index)?, &mut out))? };
    Ok(out)
}

/// Whether CUDA device `index` convolves in bfloat16 at full speed: from compute capability 8.0.
pub fn cuda_bfloat16(index: usize) -> Result<bool> {
    let mut out = false;
    // SAFETY: `out` outlives the call.
    unsafe { check(shim_cuda_bfloat16(cuda_index(index)?, &mut out))? };
    Ok(out)
}

/// How CUDA computes from now on: whether float32 products and convolutions may round their factors to TF32 (10 bits), and
/// whether cuDNN must use algorithms that give the same bits each time; otherwise it tries which is the fastest for each shape.
pub fn cuda_arithmetic(tf32: bool, deterministic: bool) {
    // SAFETY: sets flags of libtorch's global context.
    unsafe { shim_cuda_arithmetic(tf32, deterministic) }
}

/// The versions of CUDA's runtime, as 13000 for 13.0, and of cuDNN, as 91900 for 9.19.0 (0 without it); an error where
/// libtorch's CUDA half is not open.
pub fn cuda_versions() -> Result<(i64, i64)> {
    let (mut runtime, mut cudnn) = (0, 0);
    // SAFETY: both places outlive the call.
    unsafe { check(shim_cuda_versions(&mut runtime, &mut cudnn))? };
    Ok((runtime, cudnn))
}

/// The instruction set that libtorch's CPU kernels use here, such as `AVX2` or `AVX512`.
pub fn cpu_capability() -> Result<String> {
    let mut out = std::ptr::null_mut();
    // SAFETY: on success `out` is a string that the shim hands over.
    unsafe {
        check(shim_cpu_capability(&mut out))?;
        Ok(take_text(out))
    }
}

/// The version of the tch crate, which names no version of its own.
pub const TCH_VERSION: &str = "0.24.0";

/// The version of libtorch that this program was compiled against, such as `2.11.0`.
pub fn libtorch_version() -> &'static str {
    // SAFETY: the shim returns a string literal.
    unsafe { CStr::from_ptr(shim_libtorch_version()) }.to_str().unwrap_or("unknown")
}

/// Opens a library for good, its symbols visible to all; the error is the dynamic linker's own text.
pub fn open_library(path: &Path) -> std::result::Result<&'static Library, String> {
    // SAFETY: libtorch's CUDA half and NVIDIA's driver are made to be loaded at run time; their initialisers only
    // register themselves.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => Ok(Box::leak(Box::new(library))),
        Err(e) => Err(std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

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
    fn channels_last_keeps_values_and_changes_strides() {
        let t = Tensor::arange(2 * 3 * 4 * 5, (Kind::Float, Device::Cpu)).reshape([2, 3, 4, 5]);
        let c = to_channels_last(&t).unwrap();
        assert_eq!(c.stride(), [60, 1, 15, 3]);
        assert_eq!(c, t);
    }

    #[test]
    fn channels_last_of_a_matrix_is_an_error_without_a_backtrace() {
        let e = to_channels_last(&Tensor::ones([2, 2], (Kind::Float, Device::Cpu))).unwrap_err().to_string();
        assert!(e.starts_with("libtorch: "), "{e}");
        assert!(!e.contains("Exception raised from"), "{e}");
    }

    #[test]
    fn autocast_lowers_matrix_products_until_the_guard_goes() {
        let m = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
        {
            let _outer = autocast(Device::Cpu, Some(Kind::BFloat16)).unwrap();
            assert_eq!(m.matmul(&m).kind(), Kind::BFloat16);
            drop(autocast(Device::Cpu, Some(Kind::BFloat16)).unwrap());
            assert_eq!(m.matmul(&m).kind(), Kind::BFloat16, "an inner guard restores the outer one's state");
        }
        assert_eq!(m.matmul(&m).kind(), Kind::Float);
    }

    #[test]
    fn autocast_sees_weights_that_changed_between_two_guards() {
        let mut w = Tensor::ones([2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let x = Tensor::eye(2, (Kind::Float, Device::Cpu));
        let product = |w: &Tensor| {
            let _guard = autocast(Device::Cpu, Some(Kind::BFloat16)).unwrap();
            values(&x.matmul(w).detach())
        };
        assert_eq!(product(&w), [1.0; 4]);
        tch::no_grad(|| {
            let _ = w.fill_(3.0);
        });
        assert_eq!(product(&w), [3.0; 4]);
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

    #[test]
    fn memory_of_an_absent_device_is_an_error() {
        // Whether there is one is not asked here: before libtorch's CUDA half is loaded, the answer holds for good.
        let asked = [cuda_peak(4000).err(), cuda_free(4000).err(), cuda_bfloat16(4000).err()];
        assert!(asked.iter().all(|error| error.as_ref().unwrap().to_string().contains("no CUDA device 4000")));
    }

    #[test]
    fn version_and_instruction_set_are_named() {
        assert_eq!(libtorch_version(), "2.11.0");
        let workspace = include_str!("../../Cargo.toml");
        assert!(workspace.contains(&format!("\ntch = \"={TCH_VERSION}\"\n")));
        let known = ["DEFAULT", "AVX2", "AVX512", "AVX512_VNNI", "NO AVX", "SVE256", "SVE128", "ZVECTOR", "VSX"];
        let capability = cpu_capability().unwrap();
        assert!(known.contains(&capability.as_str()), "{capability}");
    }
}
