//! Which wheels libtorch comes from, and how pip fetches them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::unpack::{hash, progress_bar};
use crate::workspace;

/// The libtorch that `tch` 0.24 is written for.
pub const TORCH_VERSION: &str = "2.11.0";

/// A wheel known to the byte.
pub struct Wheel {
    /// What pip is asked for.
    pub requirement: &'static str,
    /// File name on the package index.
    pub file: &'static str,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: &'static str,
}

/// PyTorch itself, with `libtorch_cpu.so` and the headers.
pub const TORCH: Wheel = Wheel {
    requirement: "torch==2.11.0",
    file: "torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    sha256: "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
};

/// The two CUDA libraries that `libtorch_cpu.so` of this wheel cannot be loaded without.
pub const NEEDED_BY_CPU: [Wheel; 2] = [
    Wheel {
        requirement: "nvidia-cuda-runtime==13.0.96",
        file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    },
    Wheel {
        requirement: "nvidia-cuda-cupti==13.0.85",
        file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    },
];

/// The platform tags that PyTorch's and NVIDIA's wheels bear between them: glibc 2.17 (as `manylinux2014` too) to 2.28.
fn platforms() -> impl Iterator<Item = String> {
    (17..=28).map(|minor| format!("manylinux_2_{minor}_x86_64")).chain(["manylinux2014_x86_64".to_owned()])
}

/// pip, and the folder where finished wheels wait until they are unpacked.
pub struct Downloads {
    folder: PathBuf,
    pip: (u32, u32),
}

impl Downloads {
    /// Opens the folder, keeping the whole wheels that an earlier run left there.
    pub fn open(folder: PathBuf, pip: (u32, u32)) -> Result<Self> {
        let downloads = Self { folder, pip };
        let unfinished = downloads.unfinished();
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
        }
        fs::create_dir_all(&unfinished).with_context(|| format!("cannot create {}", unfinished.display()))?;
        Ok(downloads)
    }

    /// Where files are that the next run does not trust.
    fn unfinished(&self) -> PathBuf {
        self.folder.join("unfinished")
    }

    /// Fetches a wheel, unless an undamaged copy is there.
    pub fn fetch(&self, wheel: &Wheel) -> Result<PathBuf> {
        let path = self.folder.join(wheel.file);
        if path.exists() {
            if sha256(&path)? == wheel.sha256 {
                eprintln!("{} is downloaded", wheel.requirement);
                return Ok(path);
            }
            eprintln!("{} is damaged and is fetched again", path.display());
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        let mut list = tempfile::NamedTempFile::new_in(self.unfinished()).context("cannot write pip's list")?;
        writeln!(list, "{} --hash=sha256:{}", wheel.requirement, wheel.sha256).context("cannot write pip's list")?;
        eprintln!("fetching {}", wheel.requirement);
        self.pip_download(wheel.requirement, |pip| pip.args(["--no-deps", "-r"]).arg(list.path()))?;
        if !path.exists() {
            bail!("pip fetched something other than {}; look into {}", wheel.file, self.folder.display());
        }
        let found = sha256(&path)?;
        if found != wheel.sha256 {
            bail!("{} is damaged: its SHA-256 is {found}, expected {}; run again", path.display(), wheel.sha256);
        }
        Ok(path)
    }

    /// Fetches requirements with all that they depend on; returns every wheel in the folder except PyTorch's.
    pub fn fetch_with_dependencies(&self, requirements: &[String]) -> Result<Vec<PathBuf>> {
        eprintln!("fetching {} and what they depend on", requirements.join(", "));
        self.pip_download("NVIDIA's libraries", |pip| pip.args(requirements))?;
        let mut wheels = Vec::new();
        for entry in fs::read_dir(&self.folder).with_context(|| format!("cannot list {}", self.folder.display()))? {
            let path = entry.with_context(|| format!("cannot list {}", self.folder.display()))?.path();
            if path.extension().is_some_and(|end| end == "whl") && !path.ends_with(TORCH.file) {
                wheels.push(path);
            }
        }
        wheels.sort();
        Ok(wheels)
    }

    fn pip_download(&self, what: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<()> {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-input"])
            .args(["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"])
            .args(platforms().flat_map(|name| ["--platform".to_owned(), name]))
            .arg("-d")
            .arg(&self.folder)
            // Beside the result: the system's own folder for temporary files may be small.
            .env("TMPDIR", self.unfinished())
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            .stdout(io::stderr());
        if self.pip >= (25, 1) {
            pip.args(["--resume-retries", "5"]);
        }
        if !workspace::run(arguments(&mut pip))?.success() {
            bail!(
                "pip could not fetch {what}; its own messages are above. What you can do: try again (finished files are \
                 kept); behind a proxy, set HTTPS_PROXY; with a mirror of the package index, set PIP_INDEX_URL; \
                 or set LIBTORCH to an unpacked libtorch {TORCH_VERSION}"
            );
        }
        Ok(())
    }
}

/// The NVIDIA packages that PyTorch's METADATA asks for; `cuda-toolkit` is a list of further ones.
pub fn nvidia_requirements(metadata: &str) -> Vec<String> {
    metadata
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("Requires-Dist: "))
        .map(|requirement| requirement.split_once(';').unwrap_or((requirement, "")))
        .filter(|(_, marker)| !marker.contains("extra"))
        .map(|(requirement, _)| requirement.trim().to_owned())
        .filter(|requirement| requirement.starts_with("cuda-toolkit") || requirement.starts_with("nvidia-"))
        .collect()
}

/// SHA-256 of a file in hexadecimal.
fn sha256(path: &Path) -> Result<String> {
    let read = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(read)?;
    let bar = progress_bar("checking", file.metadata().with_context(read)?.len());
    let hash = hash(file, &bar, read, |_| Ok(()))?;
    bar.finish_and_clear();
    Ok(base16ct::lower::encode_string(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_nvidias_packages_from_pytorchs_metadata() {
        // Lines of torch 2.11.0's own METADATA, with a body that must not be read.
        let metadata = "Metadata-Version: 2.1\nName: torch\nVersion: 2.11.0\nRequires-Dist: filelock\n\
            Requires-Dist: setuptools<82\n\
            Requires-Dist: cuda-toolkit[cublas,cudart,cupti,nvtx]==13.0.2; platform_system == \"Linux\"\n\
            Requires-Dist: cuda-bindings<14,>=13.0.3; platform_system == \"Linux\"\n\
            Requires-Dist: nvidia-cudnn-cu13==9.19.0.56; platform_system == \"Linux\"\n\
            Requires-Dist: nvidia-nccl-cu13==2.28.9; platform_system == \"Linux\"\n\
            Requires-Dist: triton==3.6.0; platform_system == \"Linux\"\n\
            Requires-Dist: nvidia-unwanted==1; extra == \"more\"\n\
            Requires-Dist: opt-einsum>=3.3; extra == \"opt-einsum\"\n\nRequires-Dist: nvidia-in-the-text==1\n";
        assert_eq!(
            nvidia_requirements(metadata),
            [
                "cuda-toolkit[cublas,cudart,cupti,nvtx]==13.0.2",
                "nvidia-cudnn-cu13==9.19.0.56",
                "nvidia-nccl-cu13==2.28.9"
            ]
        );
    }

    #[test]
    fn hashes_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(file.path()).unwrap(), expected);
    }
}
