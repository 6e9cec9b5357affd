//! The device a run computes on: what the user asked for, and if that cannot be had, what exactly is missing.
//!
//! The program is linked without CUDA; `libtorch_cuda.so` is opened here, before the first question whether CUDA exists.
//! A GPU counts once something was computed on it: libtorch lists cards that it has no kernels for, and knows nothing of
//! a card's memory before its first use.

use crate::native;
use crate::native::driver::LIBRARY as DRIVER;
use selfsame_plugin_api::without_backtrace;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tch::{Cuda, Device, TchError, Tensor};

const LIBTORCH_CUDA: &str = "libtorch_cuda.so";
/// What a GPU needs to be, whoever else may be using it.
pub const KERNELS: &str = "libtorch's own builds have kernels for compute capability 7.5 and newer";

/// What a run computes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The device.
    pub device: Device,
    /// Whether it computes in bfloat16 at full speed, so that `train.precision: auto` takes it: GPUs from compute
    /// capability 8.0.
    pub bfloat16: bool,
    /// What a user may not expect of the choice; a line for the log.
    pub note: Option<String>,
}

impl Selected {
    fn cpu(note: Option<String>) -> Self {
        Self { device: Device::Cpu, bfloat16: false, note }
    }
}

/// Why the device asked for cannot be had. Ends the program with exit code 5, [`DeviceError::Name`] with 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Not a device's name.
    #[error("train.device: `{0}` is not a device; expected `auto`, `cpu`, `cuda` or `cuda:N`")]
    Name(String),
    /// libtorch's CUDA half is not installed.
    #[error(
        "train.device: `{asked}` needs {LIBTORCH_CUDA}, which is neither in {folder} nor on the library search path; \
         install the CUDA build of libtorch 2.11.0 (`cargo xtask setup --cuda`) or set train.device to `cpu`"
    )]
    NoLibtorchCuda {
        /// The device asked for.
        asked: String,
        /// Where it was looked for first.
        folder: String,
    },
    /// libtorch's CUDA half is there, but does not load.
    #[error(
        "train.device: `{asked}` needs {LIBTORCH_CUDA}, which does not load: {reason}; \
         install the missing library (`cargo xtask setup --cuda`) or set train.device to `cpu`"
    )]
    DoesNotLoad {
        /// The device asked for.
        asked: String,
        /// The dynamic linker's own words; they name the library.
        reason: String,
    },
    /// The NVIDIA driver is not installed.
    #[error(
        "train.device: `{asked}` needs the NVIDIA driver, and {DRIVER} does not load: {reason}; \
         install the driver or set train.device to `cpu`"
    )]
    NoDriver {
        /// The device asked for.
        asked: String,
        /// The dynamic linker's own words.
        reason: String,
    },
    /// Everything is installed, but there is no GPU to use.
    #[error(
        "train.device: `{asked}` was asked for, but the NVIDIA driver shows no usable GPU (is CUDA_VISIBLE_DEVICES \
         empty, or the driver older than this CUDA needs?); set train.device to `cpu`"
    )]
    NoGpu {
        /// The device asked for.
        asked: String,
    },
    /// A GPU with that number does not exist.
    #[error("train.device: `{asked}` was asked for, but there are {count} GPUs, numbered from 0")]
    NoSuchGpu {
        /// The device asked for.
        asked: String,
        /// Number of GPUs.
        count: usize,
    },
    /// One GPU for several processes.
    #[error(
        "train.device: `{0}` would be the device of every process of this machine; say `cuda` or `auto`, and each takes its own"
    )]
    SameForAll(String),
    /// Fewer GPUs than processes.
    #[error(
        "train.device: `{asked}`: this machine has {processes} processes and {count} GPUs; start as many as there are \
         (`--processes auto`)"
    )]
    TooFew {
        /// The device asked for.
        asked: String,
        /// Number of GPUs.
        count: usize,
        /// Number of processes.
        processes: usize,
    },
    /// A GPU that does not compute.
    #[error(
        "train.device: `{asked}`: GPU {index} does not compute: {reason}; {KERNELS}. Choose another GPU (`cuda:N`, or \
         CUDA_VISIBLE_DEVICES) or set train.device to `cpu`"
    )]
    DoesNotCompute {
        /// The device asked for.
        asked: String,
        /// The GPU's number.
        index: usize,
        /// libtorch's own words.
        reason: String,
    },
}

/// A device's name, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Auto,
    Cpu,
    Cuda(usize),
}

fn parse(name: &str) -> Result<Wish, DeviceError> {
    let bad = || DeviceError::Name(name.to_owned());
    match name {
        "auto" => Ok(Wish::Auto),
        "cpu" => Ok(Wish::Cpu),
        "cuda" => Ok(Wish::Cuda(0)),
        _ => {
            let digits = name.strip_prefix("cuda:").ok_or_else(bad)?;
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten().map(Wish::Cuda).ok_or_else(bad)
        }
    }
}

/// What is asked of CUDA to choose a device.
trait Gpus {
    /// Loads what is needed; `asked` is the device's name, for errors.
    fn load(&self, asked: &str) -> Result<(), DeviceError>;
    /// How many GPUs there are.
    fn count(&self) -> usize;
    /// Computes something on a GPU and reads it back; the error is libtorch's own text.
    fn compute(&self, index: usize) -> Result<(), String>;
    /// Whether a GPU convolves in bfloat16 at full speed.
    fn bfloat16(&self, index: usize) -> Result<bool, String>;
}

/// The device named by `train.device`.
///
/// `auto` falls back to the CPU, with a note that says what a GPU would have needed; `cuda` and `cuda:N` do not.
pub fn select(name: &str) -> Result<Selected, DeviceError> {
    select_among(&Libtorch, name)
}

/// As [`select`], for one process of several on this machine: with its own number, from 0, and theirs. Each takes the GPU of its
/// number, or the only one that it sees.
pub fn select_own(name: &str, local: (usize, usize)) -> Result<Selected, DeviceError> {
    own_among(&Libtorch, name, local)
}

fn own_among(gpus: &dyn Gpus, name: &str, (rank, processes): (usize, usize)) -> Result<Selected, DeviceError> {
    let wish = parse(name)?;
    if processes == 1 || wish == Wish::Cpu {
        return select_among(gpus, name);
    }
    if name.starts_with("cuda:") {
        return Err(DeviceError::SameForAll(name.to_owned()));
    }
    let own = gpus.load(name).and_then(|()| match gpus.count() {
        0 | 1 => cuda(gpus, name, 0),
        count if count < processes => Err(DeviceError::TooFew { asked: name.to_owned(), count, processes }),
        _ => cuda(gpus, name, rank),
    });
    match own {
        Err(why) if wish == Wish::Auto && !matches!(why, DeviceError::TooFew { .. }) => {
            Ok(Selected::cpu(Some(format!("computing on the CPU: {}", why.reason()))))
        }
        own => own,
    }
}

fn select_among(gpus: &dyn Gpus, name: &str) -> Result<Selected, DeviceError> {
    match parse(name)? {
        Wish::Cpu => Ok(Selected::cpu(None)),
        Wish::Cuda(index) => cuda(gpus, name, index),
        Wish::Auto => Ok(cuda(gpus, "auto", 0)
            .unwrap_or_else(|why| Selected::cpu(Some(format!("computing on the CPU: {}", why.reason()))))),
    }
}

impl DeviceError {
    /// What is missing, without the device asked for and without advice.
    pub fn reason(&self) -> String {
        match self {
            Self::NoLibtorchCuda { .. } => format!("{LIBTORCH_CUDA} is not installed"),
            Self::DoesNotLoad { reason, .. } => format!("{LIBTORCH_CUDA} does not load: {reason}"),
            Self::NoDriver { .. } => format!("there is no NVIDIA driver ({DRIVER})"),
            Self::DoesNotCompute { index, reason, .. } => format!("GPU {index} does not compute: {reason}"),
            Self::NoGpu { .. } | Self::NoSuchGpu { .. } | Self::TooFew { .. } | Self::SameForAll(_) | Self::Name(_) => {
                "the NVIDIA driver shows no usable GPU".to_owned()
            }
        }
    }
}

fn cuda(gpus: &dyn Gpus, asked: &str, index: usize) -> Result<Selected, DeviceError> {
    gpus.load(asked)?;
    let asked = asked.to_owned();
    let count = gpus.count();
    if count == 0 {
        return Err(DeviceError::NoGpu { asked });
    }
    if index >= count {
        return Err(DeviceError::NoSuchGpu { asked, count });
    }
    let bfloat16 = gpus.compute(index).and_then(|()| gpus.bfloat16(index));
    let bfloat16 = bfloat16.map_err(|reason| DeviceError::DoesNotCompute { asked, index, reason })?;
    let note = (!bfloat16).then(|| {
        format!(
            "GPU {index} is of a compute capability below 8.0 and slow in bfloat16: `train.precision: auto` means fp32 here"
        )
    });
    Ok(Selected { device: Device::Cuda(index), bfloat16, note })
}

/// Number of GPUs to compute on; 0 where there is no way to.
pub fn gpu_count() -> usize {
    Libtorch.load("auto").map_or(0, |()| Libtorch.count())
}

/// The GPUs that libtorch sees.
struct Libtorch;

impl Gpus for Libtorch {
    fn load(&self, asked: &str) -> Result<(), DeviceError> {
        load_cuda(asked)
    }

    fn count(&self) -> usize {
        usize::try_from(Cuda::device_count()).unwrap_or(0)
    }

    fn compute(&self, index: usize) -> Result<(), String> {
        // Without a number beside tensors: tch ends in a panic where such an operation fails.
        let doubled = |device| -> Result<f64, TchError> {
            let x = Tensor::from(1.5f32).f_to_device(device)?;
            x.f_add(&x)?.f_double_value(&[])
        };
        match doubled(Device::Cuda(index)) {
            Ok(3.0) => Ok(()),
            Ok(other) => Err(format!("it makes {other} of 2 · 1.5")),
            Err(TchError::Torch(message)) => Err(first_line(&message)),
            Err(other) => Err(other.to_string()),
        }
    }

    fn bfloat16(&self, index: usize) -> Result<bool, String> {
        native::cuda_bfloat16(index).map_err(|error| error.to_string())
    }
}

/// CUDA's errors go on with general advice for debugging.
fn first_line(message: &str) -> String {
    without_backtrace(message).lines().next().unwrap_or_default().to_owned()
}

/// Opens libtorch's CUDA half, once; it stays open.
fn load_cuda(asked: &str) -> Result<(), DeviceError> {
    static LOADED: OnceLock<()> = OnceLock::new();
    if LOADED.get().is_some() {
        return Ok(());
    }
    let folder = libtorch_folder();
    let beside = folder.as_ref().map(|folder| folder.join(LIBTORCH_CUDA)).filter(|path| path.exists());
    let driver = || {
        native::open_library(Path::new(DRIVER))
            .map_err(|reason| DeviceError::NoDriver { asked: asked.to_owned(), reason })
    };
    if beside.is_some() {
        // Before more than a gigabyte is loaded in vain.
        driver()?;
    }
    let path = beside.clone().unwrap_or_else(|| PathBuf::from(LIBTORCH_CUDA));
    native::open_library(&path).map_err(|reason| {
        if beside.is_none() && reason.starts_with(LIBTORCH_CUDA) {
            let folder = folder.map_or_else(|| "libtorch's folder".to_owned(), |f| f.display().to_string());
            DeviceError::NoLibtorchCuda { asked: asked.to_owned(), folder }
        } else if reason.starts_with(DRIVER) {
            DeviceError::NoDriver { asked: asked.to_owned(), reason }
        } else {
            DeviceError::DoesNotLoad { asked: asked.to_owned(), reason }
        }
    })?;
    driver()?;
    LOADED.get_or_init(|| ());
    Ok(())
}

/// The folder that this process's `libtorch_cpu.so` was loaded from.
pub fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    path.filter(|path| path.file_name().is_some_and(|name| name == "libtorch_cpu.so"))
        .find_map(|path| path.parent().map(Path::to_path_buf))
}

#[cfg(test)]
mod tests;
