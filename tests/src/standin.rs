//! CUDA devices on a machine that has none: `tests/standin-cuda` is compiled once, and a program that is started with its
//! folder finds it in the place of libtorch's CUDA half and of NVIDIA's driver.

use super::{Sandbox, repository};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the program writes its counts, in the sandbox.
const COUNTS: &str = "counts.tsv";

/// The program with these arguments, on a machine with two GPUs of capability 9.0 where `settings` do not say otherwise
/// (names and values as `tests/standin-cuda/standin.cpp` has them).
pub fn command(sandbox: &Sandbox, settings: &[(&str, &str)], arguments: &str) -> Command {
    let mut command = sandbox.command(arguments);
    command.env("LD_LIBRARY_PATH", folder()).env("STANDIN_COUNTS", sandbox.path(COUNTS)).envs(settings.iter().copied());
    command
}

/// The program that plants mistakes, on such a machine.
pub fn mismatch(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(folder().join("mismatch"));
    command.env("LD_LIBRARY_PATH", folder()).envs(settings.iter().copied());
    command
}

/// What was counted of an operation, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Kernels that a GPU would have been given.
    pub launches: u64,
    /// How often the host would have waited for the device.
    pub waits: u64,
    /// Bytes to the device.
    pub up: u64,
    /// Bytes from the device.
    pub down: u64,
}

/// What the last program of a sandbox did, by operation: one entry for each stage, which ends where a seed is set.
pub fn counts(sandbox: &Sandbox) -> Vec<BTreeMap<String, Count>> {
    let text = std::fs::read_to_string(sandbox.path(COUNTS)).expect("counts that the stand-in has written");
    let mut stages = Vec::new();
    for line in text.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let number = |field: usize| fields[field].parse::<u64>().expect("a number");
        let stage = number(0) as usize;
        stages.resize(stages.len().max(stage + 1), BTreeMap::new());
        let count = Count { launches: number(3), waits: number(4), up: number(5), down: number(6) };
        stages[stage].insert(fields[1].to_owned(), count);
    }
    stages
}

/// The sum over a stage.
pub fn total(stage: &BTreeMap<String, Count>) -> Count {
    stage.values().fold(Count::default(), |sum, count| Count {
        launches: sum.launches + count.launches,
        waits: sum.waits + count.waits,
        up: sum.up + count.up,
        down: sum.down + count.down,
    })
}

/// The folder of the libraries, which are compiled where their sources or libtorch have changed.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build)
}

fn build() -> PathBuf {
    let (sources, libtorch) = (repository().join("tests/standin-cuda"), libtorch());
    let built = super::built("standin-cuda");
    let folder = built.join(digest(&sources, &libtorch));
    if folder.exists() {
        return folder;
    }
    std::fs::create_dir_all(&built).expect("a folder for the stand-in");
    let unfinished = tempfile::tempdir_in(&built).expect("a folder for the stand-in");
    let out = |name: &str| unfinished.path().join(name);
    // Undefined symbols are those of the libtorch that the program has loaded already.
    let shared = ["-shared", "-fPIC", "-Wl,-soname,libtorch_cuda.so"].map(OsString::from);
    let standin = compiler(&libtorch, &sources.join("standin.cpp"), &out("libtorch_cuda.so")).args(shared).spawn();
    let shared = ["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"].map(OsString::from);
    let driver = compiler(&libtorch, &sources.join("driver.cpp"), &out("libcuda.so.1")).args(shared).spawn();
    let lib = libtorch.join("lib");
    let mut mismatch = compiler(&libtorch, &sources.join("mismatch.cpp"), &out("mismatch"));
    let mismatch = mismatch.arg("-L").arg(&lib).args(["-ltorch_cpu", "-lc10", "-ldl"]);
    let mismatch = mismatch.arg(format!("-Wl,-rpath,{}", lib.display())).spawn();
    for compiling in [standin, driver, mismatch] {
        let ended = compiling.and_then(|mut child| child.wait()).expect("a C++ compiler, `c++` or that of CXX");
        assert!(ended.success(), "the stand-in for CUDA does not compile; the compiler's messages are above");
    }
    hide_real_cuda(&lib, unfinished.path());
    // Another process may have been faster; then this one's is removed.
    if std::fs::rename(unfinished.path(), &folder).is_ok() {
        let _ = unfinished.keep();
        remove_older(&built, &folder);
    }
    folder
}

/// Removes what was compiled of earlier sources, but not what another process is compiling.
fn remove_older(built: &Path, newest: &Path) {
    for entry in std::fs::read_dir(built).expect("a folder for the stand-in").flatten() {
        if entry.path() != newest && !entry.file_name().to_string_lossy().starts_with('.') {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn compiler(libtorch: &Path, source: &Path, out: &Path) -> Command {
    let mut compiler = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    compiler.args(["-std=c++17", "-O1", "-D_GLIBCXX_USE_CXX11_ABI=1"]);
    for folder in ["include", "include/torch/csrc/api/include"] {
        compiler.arg("-isystem").arg(libtorch.join(folder));
    }
    // What libtorch's headers name of Gloo's.
    compiler.arg("-isystem").arg(repository().join("host/native"));
    compiler.arg(source).arg("-o").arg(out);
    compiler
}

/// The program takes the CUDA half that lies beside its libtorch first. Where one does, libtorch is linked to without it.
fn hide_real_cuda(lib: &Path, folder: &Path) {
    if !lib.join("libtorch_cuda.so").exists() {
        return;
    }
    for entry in std::fs::read_dir(lib).expect("libtorch's libraries").flatten() {
        let target = folder.join(entry.file_name());
        let is_cudas = ["libtorch_cuda", "libc10_cuda"]
            .iter()
            .any(|start| entry.file_name().to_str().is_some_and(|name| name.starts_with(start)));
        if !is_cudas && !target.exists() && std::fs::hard_link(entry.path(), &target).is_err() {
            std::fs::copy(entry.path(), &target).expect("a copy of libtorch");
        }
    }
}

/// The folder with libtorch's `include` and `lib`, found as the build script of `selfsame` finds it.
fn libtorch() -> PathBuf {
    if std::env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        let python = if std::env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
        let script = "import torch; print(torch.__path__[0])";
        let found = Command::new(python).args(["-c", script]).output().expect("the Python that has PyTorch");
        return PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    }
    PathBuf::from(std::env::var_os("LIBTORCH").unwrap_or_else(|| "/usr".into()))
}

/// Of the sources, in the order of their names, and of libtorch's version.
fn digest(sources: &Path, libtorch: &Path) -> String {
    let mut files: Vec<_> =
        std::fs::read_dir(sources).expect("the stand-in's sources").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.push(libtorch.join("include/torch/headeronly/version.h"));
    let mut digest = Sha256::new();
    for file in files {
        digest.update(std::fs::read(&file).expect("a file of the stand-in"));
    }
    // A path decides where the program that plants mistakes finds libtorch.
    digest.update(libtorch.to_string_lossy().as_bytes());
    base16ct::lower::encode_string(&digest.finalize())[..16].to_owned()
}
