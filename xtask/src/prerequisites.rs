//! What must be on the machine before anything is fetched or compiled; each lack is one message that says what to do.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, anyhow, bail};

/// Space that compiling everything takes, in bytes.
const BUILD_SPACE: u64 = 2_500_000_000;
/// The first pip that takes several `--platform`s and knows their names.
const OLDEST_PIP: (u32, u32) = (21, 0);

const OWN_LIBTORCH: &str = "set LIBTORCH to an unpacked libtorch 2.11.0 for your system";

/// Checks that PyTorch publishes a wheel we can use for this system.
pub fn platform(os: &str, arch: &str) -> Result<()> {
    if (os, arch) == ("linux", "x86_64") {
        return Ok(());
    }
    bail!("libtorch is fetched for Linux on x86_64 only, and this is {os} on {arch}: {OWN_LIBTORCH}")
}

/// Checks that `folder`'s disk holds `needed` bytes more, plus what the build takes.
pub fn disk_space(folder: &Path, needed: u64) -> Result<()> {
    let disk = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot ask for the free space of {}", folder.display()))?;
    enough_space(folder, disk.f_bavail.saturating_mul(disk.f_frsize), needed.saturating_add(BUILD_SPACE))
}

fn enough_space(folder: &Path, free: u64, needed: u64) -> Result<()> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    if free < needed {
        bail!(
            "not enough disk space: {:.1} GB are free at {}, and libtorch with the build takes {:.1} GB. \
             Free some, or move the checkout to a larger disk",
            gigabytes(free),
            folder.display(),
            gigabytes(needed)
        );
    }
    Ok(())
}

/// The C++ compiler as it is called, and a command of it.
pub fn compiler() -> (String, Command) {
    let compiler = env::var("CXX").ok().filter(|value| !value.trim().is_empty()).unwrap_or_else(|| "c++".into());
    // As the `cc` crate reads it: a program, or a wrapper such as ccache followed by one.
    let mut words = compiler.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("c++"));
    command.args(words);
    (compiler, command)
}

/// Compiles an empty `libtorch.so` to `stub`, which shows that the C++ compiler works.
///
/// The linker wants a library of that name, and the wheel's own one cannot be loaded without CUDA.
pub fn compile_stub(stub: &Path) -> Result<()> {
    let source = stub.with_extension("cpp");
    std::fs::write(&source, "#include <memory>\n").with_context(|| format!("cannot write {}", source.display()))?;
    let (compiler, mut command) = compiler();
    let output = command
        .args(["-std=c++17", "-shared", "-fPIC", "-Wl,-soname,libtorch.so", "-o"])
        .args([stub, &source])
        .output();
    let install = "Debian and Ubuntu: apt install g++; Fedora: dnf install gcc-c++; or set CXX to the compiler to use";
    match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("no C++ compiler: `{compiler}` was not found. {install}")
        }
        Err(error) => bail!("the C++ compiler `{compiler}` cannot be run: {error}. {install}"),
        Ok(output) if !output.status.success() => {
            bail!("the C++ compiler `{compiler}` cannot build a C++17 library. {install}\n{}", said(&output))
        }
        Ok(_) => std::fs::remove_file(&source).with_context(|| format!("cannot remove {}", source.display())),
    }
}

/// Looks for Python with pip and returns pip's version, as (major, minor).
pub fn pip() -> Result<(u32, u32)> {
    let install =
        format!("Debian and Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip; or {OWN_LIBTORCH}");
    let output =
        Command::new("python3").args(["-m", "pip", "--version"]).output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!("`python3` was not found; pip is used once, to fetch libtorch. {install}"),
            _ => anyhow!("`python3` cannot be run: {error}. {install}"),
        })?;
    if !output.status.success() {
        bail!("`python3 -m pip` does not work; pip is used once, to fetch libtorch. {install}\n{}", said(&output));
    }
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = pip_version(&version).with_context(|| format!("cannot read pip's version from {version:?}"))?;
    if version < OLDEST_PIP {
        bail!(
            "pip {}.{} is too old; run `python3 -m pip install --upgrade pip`, or {OWN_LIBTORCH}",
            version.0,
            version.1
        );
    }
    Ok(version)
}

/// Reads `pip 23.2.1 from …`.
fn pip_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("pip ")?.split_whitespace().next()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What a failed program printed, without the empty lines around it.
fn said(output: &Output) -> String {
    let text = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    String::from_utf8_lossy(text).trim().to_owned()
}

/// The Python that torch-sys asks when `LIBTORCH_USE_PYTORCH` is set.
pub fn python() -> OsString {
    if env::var_os("VIRTUAL_ENV").is_some() { "python".into() } else { "python3".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_linux_on_x86_64_is_fetched_for() {
        assert!(platform("linux", "x86_64").is_ok());
        for (os, arch) in [("linux", "aarch64"), ("macos", "x86_64")] {
            let message = platform(os, arch).unwrap_err().to_string();
            assert!(message.contains(os) && message.contains(arch) && message.contains("LIBTORCH"), "{message}");
        }
    }

    #[test]
    fn a_full_disk_is_told_with_both_numbers() {
        assert!(enough_space(Path::new("/x"), 100, 100).is_ok());
        let message = enough_space(Path::new("/x"), 1_000_000_000, 4_100_000_000).unwrap_err().to_string();
        assert!(message.contains("1.0 GB") && message.contains("4.1 GB") && message.contains("/x"), "{message}");
    }

    #[test]
    fn reads_pips_version() {
        assert_eq!(pip_version("pip 23.2.1 from /usr/lib (python 3.11)"), Some((23, 2)));
        assert_eq!(pip_version("pip 26.0 from /x"), Some((26, 0)));
        assert_eq!(pip_version("No module named pip"), None);
    }
}
