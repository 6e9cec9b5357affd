//! `cargo xtask setup`: libtorch in `.libtorch/`, from PyTorch's wheels, or the user's own.
//!
//! Whatever interrupts it, running it again goes on: whole wheels are kept until all is unpacked, unpacking happens in a
//! folder of its own, and a stamp that is written last says that everything is in place.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::unpack::Unpacker;
use crate::wheels::{Downloads, NEEDED_BY_CPU, TORCH, TORCH_VERSION, nvidia_requirements};
use crate::workspace::Workspace;
use crate::{external, prerequisites};

/// Most that the disk holds at once while setting up: wheels, pip's copies of them, and their content.
const CPU_SPACE: u64 = 1_600_000_000;
const CUDA_SPACE: u64 = 12_000_000_000;

const CPU_LIBRARIES: [&str; 5] =
    ["libc10.so", "libtorch_cpu.so", "libgomp.so.1", "libshm.so", "libtorch_global_deps.so"];
const CUDA_LIBRARIES: [&str; 5] =
    ["libc10_cuda.so", "libtorch_cuda.so", "libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so", "libtorch_nvshmem.so"];
/// What `libtorch_cpu.so` needs from NVIDIA's wheels.
const NVIDIA_LIBRARIES: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];

/// Makes sure that a libtorch is there to build against.
pub fn run(workspace: &Workspace, cuda: bool) -> Result<()> {
    if let Some(found) = external::check(workspace)? {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        prerequisites::compile_stub(&folder.path().join("libtorch.so"))?;
        eprintln!("using {found}");
        return Ok(());
    }
    let folder = workspace.libtorch();
    if !is_complete(&folder, cuda) {
        prerequisites::platform(std::env::consts::OS, std::env::consts::ARCH)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let _lock = lock(&folder.join(".lock"))?;
        // Another setup may have finished while this one waited.
        if !is_complete(&folder, cuda) {
            install(&folder, cuda)?;
        }
    }
    eprintln!("libtorch {TORCH_VERSION} is in place at {}", folder.display());
    Ok(())
}

fn install(folder: &Path, cuda: bool) -> Result<()> {
    prerequisites::disk_space(folder, if cuda { CUDA_SPACE } else { CPU_SPACE })?;
    let unpacked = folder.join("unpacking");
    remove(&unpacked)?;
    fs::create_dir_all(unpacked.join("lib")).with_context(|| format!("cannot create {}", unpacked.display()))?;
    prerequisites::compile_stub(&unpacked.join("lib/libtorch.so"))?;
    let downloads = Downloads::open(folder.join("downloads"), prerequisites::pip()?)?;

    let mut nvidia = NEEDED_BY_CPU.iter().map(|wheel| downloads.fetch(wheel)).collect::<Result<Vec<_>>>()?;
    let mut torch = Unpacker::open(&downloads.fetch(&TORCH)?)?;
    if cuda {
        let mut requirements = nvidia_requirements(&torch.info("METADATA")?);
        requirements.extend(NEEDED_BY_CPU.iter().map(|wheel| wheel.requirement.to_owned()));
        nvidia = downloads.fetch_with_dependencies(&requirements)?;
    }
    torch.unpack(&move |name| place_torch(name, cuda), &unpacked)?;
    for wheel in &nvidia {
        Unpacker::open(wheel)?.unpack(&move |name| place_nvidia(name, cuda), &unpacked)?;
    }
    let cuda_libraries = CUDA_LIBRARIES.iter().filter(|_| cuda);
    for library in CPU_LIBRARIES.iter().chain(&NVIDIA_LIBRARIES).chain(cuda_libraries) {
        if !unpacked.join("lib").join(library).exists() {
            bail!("{library} is in none of the wheels: they are not those of torch {TORCH_VERSION} for CUDA 13");
        }
    }

    remove(&stamp(folder))?;
    for part in ["lib", "include"] {
        remove(&folder.join(part))?;
        fs::rename(unpacked.join(part), folder.join(part))
            .with_context(|| format!("cannot move {part} into {}", folder.display()))?;
    }
    write(&folder.join("build-version"), TORCH_VERSION)?;
    let wheels: Vec<_> = nvidia.iter().filter_map(|path| path.file_name()?.to_str()).chain([TORCH.file]).collect();
    write(&stamp(folder), &json!({ "libtorch": TORCH_VERSION, "cuda": cuda, "wheels": wheels }).to_string())?;
    remove(&unpacked)?;
    remove(&folder.join("downloads"))
}

/// Whether an earlier run finished, for CUDA too where that is asked for.
fn is_complete(folder: &Path, cuda: bool) -> bool {
    let Ok(text) = fs::read_to_string(stamp(folder)) else { return false };
    let stamp: Value = serde_json::from_str(&text).unwrap_or_default();
    stamp["libtorch"] == TORCH_VERSION
        && (stamp["cuda"] == true || !cuda)
        && ["lib/libtorch_cpu.so", "lib/libtorch.so", "include/torch"].iter().all(|file| folder.join(file).exists())
}

fn stamp(folder: &Path) -> PathBuf {
    folder.join(".complete")
}

/// Where a file of PyTorch's wheel goes.
fn place_torch(name: &str, cuda: bool) -> Option<PathBuf> {
    let name = name.strip_prefix("torch/")?;
    let kept = |library| CPU_LIBRARIES.contains(&library) || (cuda && CUDA_LIBRARIES.contains(&library));
    (name.starts_with("include/") || name.strip_prefix("lib/").is_some_and(kept)).then(|| name.into())
}

/// Where a file of one of NVIDIA's wheels goes: all libraries flat into one folder, in which libtorch looks.
fn place_nvidia(name: &str, cuda: bool) -> Option<PathBuf> {
    let (_, library) = name.strip_prefix("nvidia/")?.rsplit_once("/lib/")?;
    let wanted =
        if cuda { library.contains(".so") && !library.contains('/') } else { NVIDIA_LIBRARIES.contains(&library) };
    wanted.then(|| Path::new("lib").join(library))
}

/// Waits until no other setup works in the folder; released when the file is dropped, or the process ends.
fn lock(path: &Path) -> Result<File> {
    let cannot = || format!("cannot lock {}", path.display());
    let file = File::create(path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("another `cargo xtask setup` is at work; waiting for it"),
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    file.lock().with_context(cannot)?;
    Ok(file)
}

/// Writes a small file whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("tmp");
    fs::write(&unfinished, format!("{text}\n"))
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let outcome = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_headers_and_the_libraries_of_the_variant() {
        let kept = |name, cuda| place_torch(name, cuda).map(|path| path.display().to_string());
        assert_eq!(kept("torch/include/ATen/ATen.h", false).as_deref(), Some("include/ATen/ATen.h"));
        assert_eq!(kept("torch/lib/libtorch_cpu.so", false).as_deref(), Some("lib/libtorch_cpu.so"));
        assert_eq!(kept("torch/lib/libtorch_cuda.so", false), None);
        assert_eq!(kept("torch/lib/libtorch_cuda.so", true).as_deref(), Some("lib/libtorch_cuda.so"));
        // The wheel's own libtorch.so needs CUDA; the stub stands in for it. Python is not our business.
        for name in
            ["torch/lib/libtorch.so", "torch/lib/libtorch_python.so", "torch/version.py", "functorch/__init__.py"]
        {
            assert_eq!(kept(name, true), None, "{name}");
        }
    }

    #[test]
    fn nvidias_libraries_lie_flat() {
        let kept = |name, cuda| place_nvidia(name, cuda).map(|path| path.display().to_string());
        assert_eq!(kept("nvidia/cu13/lib/libcudart.so.13", false).as_deref(), Some("lib/libcudart.so.13"));
        assert_eq!(kept("nvidia/cu13/lib/libnvperf_host.so", false), None);
        assert_eq!(kept("nvidia/cudnn/lib/libcudnn.so.9", true).as_deref(), Some("lib/libcudnn.so.9"));
        assert_eq!(kept("nvidia/cu13/lib/libcudadevrt.a", true), None);
        assert_eq!(kept("nvidia/cu13/include/cuda.h", true), None);
    }

    #[test]
    fn complete_means_stamp_version_variant_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let stamped = |version: &str, cuda| {
            write(&stamp(folder), &json!({ "libtorch": version, "cuda": cuda }).to_string()).unwrap();
        };
        stamped(TORCH_VERSION, true);
        assert!(!is_complete(folder, false), "without the files");
        for path in ["lib/libtorch_cpu.so", "lib/libtorch.so", "include/torch/all.h"] {
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), "").unwrap();
        }
        assert!(is_complete(folder, true) && is_complete(folder, false), "the CUDA variant serves both");
        stamped(TORCH_VERSION, false);
        assert!(is_complete(folder, false) && !is_complete(folder, true));
        stamped("2.10.0", true);
        assert!(!is_complete(folder, false), "another version");
        fs::write(stamp(folder), "{").unwrap();
        assert!(!is_complete(folder, false), "a damaged stamp");
    }
}
