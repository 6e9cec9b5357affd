//! Compiles the C++ shim against the libtorch that tch was compiled against, and tells the linker where that lies.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    compile_native();
    link_libtorch();
}

/// Compiles the files of `native/`, which reach what tch does not expose.
fn compile_native() {
    println!("cargo::rerun-if-changed=native");
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").define("_GLIBCXX_USE_CXX11_ABI", "1").include("native");
    // As libtorch was compiled: some of its classes have more fields without.
    build.define("NDEBUG", None);
    build.files(["native/shim.cpp", "native/operations.cpp", "native/world.cpp"]);
    // They pass calls on, as torch-sys does.
    build.debug(false).opt_level(0);
    for folder in libtorch_include_folders() {
        build.flag("-isystem").flag(folder);
    }
    build.compile("selfsame_native");
}

/// The folders of libtorch's headers, found the way that torch-sys finds them.
fn libtorch_include_folders() -> Vec<PathBuf> {
    for name in ["LIBTORCH", "LIBTORCH_INCLUDE", "LIBTORCH_USE_PYTORCH", "VIRTUAL_ENV"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return pytorch_include_folders();
    }
    let root = env::var_os("LIBTORCH_INCLUDE").or_else(|| env::var_os("LIBTORCH"));
    let include = PathBuf::from(root.unwrap_or_else(|| "/usr".into())).join("include");
    assert!(
        include.join("ATen/core/Tensor.h").exists(),
        "no libtorch headers in {}: set LIBTORCH to a libtorch 2.11.0, or run `cargo xtask setup`",
        include.display()
    );
    vec![include.join("torch/csrc/api/include"), include]
}

/// The folders of the headers of the PyTorch that python imports.
fn pytorch_include_folders() -> Vec<PathBuf> {
    let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let script = "from torch.utils import cpp_extension as c; print(*c.include_paths(), sep='\\n')";
    let output = Command::new(python).args(["-c", script]).output();
    let output = output.unwrap_or_else(|e| panic!("LIBTORCH_USE_PYTORCH is set, but {python} does not run: {e}"));
    assert!(
        output.status.success(),
        "LIBTORCH_USE_PYTORCH is set, but {python} cannot import torch: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect()
}

/// Writes where libtorch lies into every executable of this package, so that it runs without `LD_LIBRARY_PATH`, as
/// `DT_RUNPATH`: searched after `LD_LIBRARY_PATH`. First where a packed program has it, then where it was for this build;
/// packing takes the latter out again.
fn link_libtorch() {
    // torch-sys reports the folder it linked against; the `doc-only` build of it has none.
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!(
            "cargo::rustc-link-arg=-Wl,--as-needed,--enable-new-dtags,-rpath,$ORIGIN/../lib:$ORIGIN/../libtorch/lib:{folder}"
        );
    }
}
