//! The driver, CUDA, and the cards.

use super::{Line, gigabytes};
use crate::device::{self, DeviceError, KERNELS};
use crate::native;
use crate::native::driver::{self, Driver};

const SETUP: &str = "install libtorch's CUDA half: `cargo xtask setup --cuda`";
/// The compute capability from which libtorch has kernels.
const KERNELS_FROM: [i32; 2] = [7, 5];

/// Without a driver there is one line: a machine without a GPU is a good one.
pub(super) fn lines() -> Vec<Line> {
    match driver::driver() {
        Ok(Some(driver)) => with(&driver),
        Ok(None) => {
            let found = format!("no NVIDIA driver ({} is not found): computing on the CPU", driver::LIBRARY);
            vec![Line::better("driver", found, "with an NVIDIA GPU, install its driver (580 or newer)")]
        }
        Err(reason) => {
            let found = format!("the NVIDIA driver does not work: {reason}");
            vec![Line::bad("driver", found, "is the driver loaded, and as old as its library (`nvidia-smi`)?")]
        }
    }
}

fn with(driver: &Driver) -> Vec<Line> {
    let [major, minor] = driver.cuda;
    let version = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    let version =
        version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    let version = version.map(|version| format!("{version}, ")).unwrap_or_default();
    let mut lines = vec![Line::good("driver", format!("{version}for CUDA up to {major}.{minor}"))];
    if driver.cards.is_empty() {
        lines.push(Line::better("GPU", "the driver shows none", "is CUDA_VISIBLE_DEVICES right?"));
        return lines;
    }
    // Opens libtorch's CUDA half, or says why it cannot be.
    match device::select("cuda:0") {
        Ok(_) | Err(DeviceError::DoesNotCompute { .. }) => {
            lines.push(cuda());
            lines.extend(driver.cards.iter().enumerate().map(|(index, card)| self::card(index, card)));
        }
        Err(error) => lines.push(without_cuda(&error)),
    }
    lines
}

/// There are cards, and libtorch does not get at them.
fn without_cuda(error: &DeviceError) -> Line {
    let remedy = match error {
        DeviceError::NoLibtorchCuda { .. } | DeviceError::DoesNotLoad { .. } => SETUP,
        _ => "update the driver to 580 or newer",
    };
    let found = match error {
        DeviceError::NoGpu { .. } => "libtorch cannot use the driver's cards".to_owned(),
        _ => error.reason(),
    };
    Line::bad("CUDA", found, remedy)
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
        Err(error) => Line::bad("CUDA", error.to_string(), SETUP),
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
            Line::bad(name, format!("{found}: does not compute: {reason}"), remedy(card.capability))
        }
        Err(error) => Line::bad(name, format!("{found}: {}", error.reason()), remedy(card.capability)),
    }
}

/// What to do about a card that does not compute.
fn remedy(capability: [i32; 2]) -> String {
    match capability < KERNELS_FROM {
        true => format!("{KERNELS}: choose another card with `train.device=cuda:N`"),
        false => "does another program use its memory (`nvidia-smi`)? Or choose another card with \
                  `train.device=cuda:N`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    #[test]
    fn what_is_missing_decides_what_to_do() {
        let asked = || "cuda:0".to_owned();
        for (error, found, remedy) in [
            (
                DeviceError::NoLibtorchCuda { asked: asked(), folder: "x".into() },
                "is not installed",
                "xtask setup --cuda",
            ),
            (
                DeviceError::DoesNotLoad { asked: asked(), reason: "libcudnn.so.9".into() },
                "libcudnn",
                "xtask setup --cuda",
            ),
            (DeviceError::NoGpu { asked: asked() }, "cannot use the driver's cards", "update the driver to 580"),
        ] {
            let line = without_cuda(&error);
            let State::Bad(advice) = &line.state else { panic!("{}", line.text()) };
            assert!(line.found.contains(found) && advice.contains(remedy), "{}", line.text());
            assert!(!line.found.contains("cuda:0") && !line.found.contains("xtask"), "{}", line.text());
        }
    }

    #[test]
    fn only_old_cards_lack_kernels() {
        assert!(remedy([7, 0]).contains("7.5 and newer"));
        for capability in [[7, 5], [9, 0], [12, 0]] {
            assert!(remedy(capability).contains("memory"), "{capability:?}");
        }
    }
}
