//! The driver, CUDA, and the cards.

use super::{Line, gigabytes};
use crate::device::{self, DeviceError};
use crate::native::{self, driver};

const NEWER_KERNELS: &str = "libtorch's own builds have kernels for compute capability 7.5 and newer: choose another card \
                             with `train.device=cuda:N`";

/// Without a driver there is one line: a machine without a GPU is a good one.
pub(super) fn lines() -> Vec<Line> {
    let driver = match driver::driver() {
        Ok(driver) => driver,
        Err(reason) if reason.starts_with("libcuda.so.1") => {
            let found = format!("no NVIDIA driver ({reason}): computing on the CPU");
            return vec![Line::better("driver", found, "with an NVIDIA GPU, install its driver (580 or newer)")];
        }
        Err(reason) => {
            let remedy = "is CUDA_VISIBLE_DEVICES right, and the driver loaded (`nvidia-smi`)?";
            return vec![Line::bad("driver", format!("the NVIDIA driver does not work: {reason}"), remedy)];
        }
    };
    let [major, minor] = driver.cuda;
    let version = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    let version =
        version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    let version = version.map(|version| format!("{version}, ")).unwrap_or_default();
    let mut lines = vec![Line::good("driver", format!("{version}for CUDA up to {major}.{minor}"))];
    if driver.cards.is_empty() {
        lines.push(Line::better("GPU", "the driver shows none", "is CUDA_VISIBLE_DEVICES empty?"));
        return lines;
    }
    // Opens libtorch's CUDA half, or says why it cannot be.
    let first = device::select("cuda:0");
    lines.push(match &first {
        Ok(_) | Err(DeviceError::DoesNotCompute { .. }) => cuda(),
        Err(error) => {
            let remedy = "install libtorch's CUDA half: `cargo xtask setup --cuda`";
            Line::bad("CUDA", error.to_string(), remedy)
        }
    });
    if matches!(first, Ok(_) | Err(DeviceError::DoesNotCompute { .. })) {
        lines.extend(driver.cards.iter().enumerate().map(|(index, card)| self::card(index, card)));
    }
    lines
}

fn cuda() -> Line {
    match native::cuda_versions() {
        Ok((runtime, cudnn)) => {
            let cudnn = match cudnn {
                0 => "without cuDNN".to_owned(),
                _ => format!("cuDNN {}.{}.{}", cudnn / 10000, cudnn / 100 % 100, cudnn % 100),
            };
            Line::good("CUDA", format!("{}.{}, {cudnn}", runtime / 1000, runtime % 1000 / 10))
        }
        Err(error) => Line::bad("CUDA", error.to_string(), "install libtorch's CUDA half: `cargo xtask setup --cuda`"),
    }
}

fn card(index: usize, card: &driver::Card) -> Line {
    let name = format!("GPU {index}");
    let ([major, minor], memory) = (card.capability, gigabytes(card.memory as u64));
    let found = format!("{}, compute capability {major}.{minor}, {memory}", card.name);
    match device::select(&format!("cuda:{index}")) {
        Ok(selected) => {
            let free = native::cuda_free(index).map(|free| format!(" ({} free)", gigabytes(free))).unwrap_or_default();
            let precision = if selected.bfloat16 { "bf16" } else { "fp32" };
            let found = format!("{found}{free}; `train.precision: auto` means {precision}");
            Line::good(name, found)
        }
        Err(DeviceError::DoesNotCompute { reason, .. }) => {
            Line::bad(name, format!("{found}: does not compute: {reason}"), NEWER_KERNELS)
        }
        Err(error) => Line::bad(name, format!("{found}: {error}"), NEWER_KERNELS),
    }
}
