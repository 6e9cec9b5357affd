//! What the NVIDIA driver tells of its cards, whether libtorch can use them or not.

use libloading::os::unix::Library;
use std::ffi::{CStr, c_char, c_int, c_uint};
use std::fmt::Write;
use std::path::Path;

/// The driver's library.
pub const LIBRARY: &str = "libcuda.so.1";
/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: c_int = 100;

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `…_MINOR`.
const CAPABILITY: [c_int; 2] = [75, 76];
const NAME_LENGTH: usize = 128;
/// `sizeof(CUuuid)`.
const UUID_LENGTH: usize = 16;

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
    /// What tells it from every other card, as `nvidia-smi` writes it.
    pub uuid: String,
    /// Its compute capability, major and minor number.
    pub capability: [i32; 2],
    /// All of its memory, in bytes.
    pub memory: usize,
}

/// Asks the driver of this machine; none where none is installed.
///
/// # Errors
/// A driver that does not load, in the dynamic linker's own words; what it refuses, by its number.
pub fn driver() -> Result<Option<Driver>, String> {
    match super::open_library(Path::new(LIBRARY)) {
        Ok(library) => ask(library).map(Some),
        Err(reason) if reason.starts_with(LIBRARY) => Ok(None),
        Err(reason) => Err(reason),
    }
}

fn ask(library: &Library) -> Result<Driver, String> {
    macro_rules! code {
        ($name:ident($($kind:ty = $value:expr),*)) => {{
            let name = stringify!($name);
            // SAFETY: the driver's interface has a function of this name and signature, which keeps no pointer.
            unsafe {
                let function = library.get::<unsafe extern "C" fn($($kind),*) -> c_int>(name.as_bytes());
                (function.map_err(|e| format!("the driver has no {name}: {e}"))?)($($value),*)
            }
        }};
    }
    macro_rules! call {
        ($name:ident $arguments:tt) => {{
            let code = code!($name $arguments);
            if code != 0 {
                return Err(format!("{} gives error {code}", stringify!($name)));
            }
        }};
    }
    let (mut version, mut count) = (0, 0);
    call!(cuDriverGetVersion(*mut c_int = &mut version));
    match code!(cuInit(c_uint = 0)) {
        0 => call!(cuDeviceGetCount(*mut c_int = &mut count)),
        NO_DEVICE => {}
        code => return Err(format!("cuInit gives error {code}")),
    }
    let mut cards = Vec::new();
    for ordinal in 0..count {
        let (mut device, mut memory) = (0, 0);
        let (mut name, mut uuid) = ([0 as c_char; NAME_LENGTH], [0u8; UUID_LENGTH]);
        call!(cuDeviceGet(*mut c_int = &mut device, c_int = ordinal));
        call!(cuDeviceGetName(*mut c_char = name.as_mut_ptr(), c_int = NAME_LENGTH as c_int - 1, c_int = device));
        call!(cuDeviceGetUuid(*mut u8 = uuid.as_mut_ptr(), c_int = device));
        call!(cuDeviceTotalMem_v2(*mut usize = &mut memory, c_int = device));
        let mut capability = [0; 2];
        for (number, attribute) in capability.iter_mut().zip(CAPABILITY) {
            call!(cuDeviceGetAttribute(*mut c_int = number, c_int = attribute, c_int = device));
        }
        // SAFETY: the last byte was never written, so the text ends within the array.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        cards.push(Card { name, uuid: text_of(uuid), capability, memory });
    }
    Ok(Driver { cuda: [version / 1000, version % 1000 / 10], cards })
}

/// A card's identity as `nvidia-smi` writes it.
fn text_of(uuid: [u8; UUID_LENGTH]) -> String {
    uuid.iter().enumerate().fold("GPU".to_owned(), |mut text, (at, byte)| {
        if [0, 4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_written_as_nvidia_smi_writes_them() {
        let bytes = std::array::from_fn(|at| 0x10 * at as u8 + 1);
        assert_eq!(text_of(bytes), "GPU-01112131-4151-6171-8191-a1b1c1d1e1f1");
    }
}
