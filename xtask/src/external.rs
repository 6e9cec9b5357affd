//! Checks a libtorch that the user brings, by the same variables that torch-sys reads.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::prerequisites;
use crate::wheels::TORCH_VERSION;
use crate::workspace::Workspace;

/// Checks the libtorch that the environment names and says where it lies; `None` when it names none.
pub fn check(workspace: &Workspace) -> Result<Option<String>> {
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return installed_pytorch().map(Some);
    }
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let (lib, include) = (variable("LIBTORCH_LIB"), variable("LIBTORCH_INCLUDE"));
    let whole = workspace.user_libtorch();
    if whole.is_none() && lib.is_none() && include.is_none() {
        return Ok(None);
    }
    let folder = |part: Option<PathBuf>, name: &'static str, other: &str| match (part, &whole) {
        (Some(path), _) => Ok((path, name)),
        (None, Some(path)) => Ok((path.clone(), "LIBTORCH")),
        (None, None) => bail!("{other} is set but {name} is not: set both, or LIBTORCH alone"),
    };
    let lib = folder(lib, "LIBTORCH_LIB", "LIBTORCH_INCLUDE")?;
    let include = folder(include, "LIBTORCH_INCLUDE", "LIBTORCH_LIB")?;
    check_folders(lib, include).map(Some)
}

fn installed_pytorch() -> Result<String> {
    let python = prerequisites::python();
    let output =
        Command::new(&python).args(["-c", "import torch; print(torch.__version__, torch.__path__[0])"]).output();
    let answer = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => bail!(
            "LIBTORCH_USE_PYTORCH is set, but {} cannot import torch; expected PyTorch {TORCH_VERSION}",
            python.display()
        ),
    };
    let (version, path) = answer.split_once(' ').unwrap_or((&answer, ""));
    check_version("LIBTORCH_USE_PYTORCH", path, Some(version.to_owned()))
}

/// `lib` and `include` are the folders *above* those names, each with the variable that gave it.
fn check_folders(lib: (PathBuf, &str), include: (PathBuf, &str)) -> Result<String> {
    for ((folder, variable), file) in [(&lib, "lib/libtorch_cpu.so"), (&include, "include/torch")] {
        if folder.is_relative() {
            bail!(
                "{variable} is \"{}\"; expected an absolute path, for cargo compiles in other folders",
                folder.display()
            );
        }
        if !folder.join(file).exists() {
            bail!(
                "{variable} is \"{}\", where {file} is missing; expected an unpacked libtorch {TORCH_VERSION}. \
                 Without {variable}, `cargo xtask setup` fetches it",
                folder.display()
            );
        }
    }
    check_version(include.1, &include.0.display().to_string(), version(&include.0))
}

fn check_version(variable: &str, path: &str, found: Option<String>) -> Result<String> {
    match found {
        Some(found) if found.split('+').next() == Some(TORCH_VERSION) => {
            Ok(format!("libtorch {found} at {path} ({variable})"))
        }
        found => bail!(
            "{variable} leads to libtorch {} at {path}; expected {TORCH_VERSION}. \
             Without {variable}, `cargo xtask setup` fetches the right one",
            found.as_deref().unwrap_or("of unknown version")
        ),
    }
}

/// The version of an unpacked libtorch or of PyTorch's `torch` folder, from the first file that tells it.
fn version(folder: &Path) -> Option<String> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let quoted = |text: String, start: &str| {
        let rest = text.split_once(start)?.1;
        rest.split(['"', '\'']).nth(1).map(str::to_owned)
    };
    read("build-version")
        .map(|text| text.trim().to_owned())
        .or_else(|| quoted(read("version.py")?, "\n__version__ = "))
        .or_else(|| quoted(read("include/torch/headeronly/version.h")?, "#define TORCH_VERSION "))
        .or_else(|| quoted(read("include/torch/csrc/api/include/torch/version.h")?, "#define TORCH_VERSION "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libtorch(version_file: &str, text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in ["lib/libtorch_cpu.so", "include/torch/all.h", version_file] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn outcome(folder: &Path) -> Result<String> {
        check_folders((folder.to_owned(), "LIBTORCH"), (folder.to_owned(), "LIBTORCH"))
    }

    #[test]
    fn reads_the_version_wherever_it_is_written() {
        let header = "/// text\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION \\\n  \"2.11.0\"\n";
        for (file, text) in [
            ("build-version", "2.11.0+cpu\n"),
            ("version.py", "__all__ = ['__version__']\n__version__ = '2.11.0+cu130'\ncuda = '13.0'\n"),
            ("include/torch/headeronly/version.h", header),
            ("include/torch/csrc/api/include/torch/version.h", header),
        ] {
            let folder = libtorch(file, text);
            let found = outcome(folder.path()).unwrap();
            assert!(found.starts_with("libtorch 2.11.0"), "{file}: {found}");
        }
    }

    #[test]
    fn another_version_is_named_with_the_one_expected() {
        let folder = libtorch("build-version", "2.10.0+cu128\n");
        let message = outcome(folder.path()).unwrap_err().to_string();
        assert!(message.contains("2.10.0+cu128") && message.contains("expected 2.11.0"), "{message}");
        let folder = libtorch("lib/other", "");
        assert!(outcome(folder.path()).unwrap_err().to_string().contains("unknown version"));
    }

    #[test]
    fn a_missing_library_and_a_relative_path_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let message = outcome(folder.path()).unwrap_err().to_string();
        assert!(message.contains("lib/libtorch_cpu.so") && message.contains("LIBTORCH is"), "{message}");
        assert!(outcome(Path::new("libtorch")).unwrap_err().to_string().contains("absolute path"));
    }
}
