//! What tch does not expose of libtorch: memory formats, autocast, memory statistics, its CUDA half; `lists` has operations
//! on lists of tensors.
//!
//! The C++ half is `native/shim.cpp`; `c10d` has its own.

pub mod c10d;
pub mod driver;
pub mod lists;
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
