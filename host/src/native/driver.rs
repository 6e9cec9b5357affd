//! What the NVIDIA driver tells of its cards, whether libtorch can use them or not.

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ffi::{CStr, c_char, c_int, c_uint};

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `…_MINOR`.
const CAPABILITY: [c_int; 2] = [75, 76];
const NAME_LENGTH: usize = 128;

/// An installed driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// The newest CUDA that it runs, major and minor number.
    pub cuda: [i32; 2],
    /// Its cards, as CUDA_VISIBLE_DEVICES leaves them.
    pub cards: Vec<Card>,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The product's name.
    pub name: String,
    /// Its compute capability, major and minor number.
    pub capability: [i32; 2],
    /// All of its memory, in bytes.
    pub memory: usize,
}

/// Asks the driver of this machine.
///
/// # Errors
/// No driver, in the dynamic linker's own words; what the driver refuses, by its number.
pub fn driver() -> Result<Driver, String> {
    // SAFETY: NVIDIA's driver is made to be loaded at run time.
    let library = unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW | RTLD_LOCAL) };
    let library =
        library.map_err(|e| std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string))?;
    let driver = ask(&library);
    // It stays open: libtorch may be using it.
    std::mem::forget(library);
    driver
}

fn ask(library: &Library) -> Result<Driver, String> {
    macro_rules! call {
        ($name:ident($($kind:ty = $value:expr),*)) => {{
            let name = stringify!($name);
            // SAFETY: the driver's interface has a function of this name and signature, which keeps no pointer.
            let code = unsafe {
                let function = library.get::<unsafe extern "C" fn($($kind),*) -> c_int>(name.as_bytes());
                (function.map_err(|e| format!("the driver has no {name}: {e}"))?)($($value),*)
            };
            if code != 0 {
                return Err(format!("{name} gives error {code}"));
            }
        }};
    }
    call!(cuInit(c_uint = 0));
    let (mut version, mut count) = (0, 0);
    call!(cuDriverGetVersion(*mut c_int = &mut version));
    call!(cuDeviceGetCount(*mut c_int = &mut count));
    let mut cards = Vec::new();
    for ordinal in 0..count {
        let (mut device, mut memory, mut name) = (0, 0, [0 as c_char; NAME_LENGTH]);
        call!(cuDeviceGet(*mut c_int = &mut device, c_int = ordinal));
        call!(cuDeviceGetName(*mut c_char = name.as_mut_ptr(), c_int = NAME_LENGTH as c_int - 1, c_int = device));
        call!(cuDeviceTotalMem_v2(*mut usize = &mut memory, c_int = device));
        let mut capability = [0; 2];
        for (number, attribute) in capability.iter_mut().zip(CAPABILITY) {
            call!(cuDeviceGetAttribute(*mut c_int = number, c_int = attribute, c_int = device));
        }
        // SAFETY: the last byte was never written, so the text ends within the array.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        cards.push(Card { name, capability, memory });
    }
    Ok(Driver { cuda: [version / 1000, version % 1000 / 10], cards })
}
