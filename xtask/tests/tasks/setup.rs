//! Runs the built `xtask setup` in checkouts and on machines where something is missing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const WORKING_COMPILER: &str = "exit 0";
const WORKING_PIP: &str = "echo 'pip 24.0 from /somewhere (python 3.12)'";

/// An empty checkout, and a `PATH` that holds only the programs a test puts there.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        // In the target folder, whose disk has the room that setup asks for.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        fs::create_dir_all(folder.path().join("checkout/xtask")).unwrap();
        Self(folder)
    }

    fn with(self, program: &str, script: &str) -> Self {
        let path = self.0.path().join("bin").join(program);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn libtorch(&self) -> PathBuf {
        self.0.path().join("checkout/.libtorch")
    }

    fn setup(&self, variables: &[(&str, &Path)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("setup")
            .env_clear()
            .env("PATH", self.0.path().join("bin"))
            .env("CARGO_MANIFEST_DIR", self.0.path().join("checkout/xtask"))
            .env("LIBTORCH", self.libtorch())
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// The message of a setup that must fail: exit code 1, one `error:`, no trace of a panic.
    fn failure(&self, variables: &[(&str, &Path)]) -> String {
        let output = self.setup(variables);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert_eq!(message.matches("error:").count(), 1, "{message}");
        assert!(!message.contains("panicked") && !message.contains("backtrace"), "{message}");
        message
    }
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in:\n{message}");
    }
}

#[test]
fn names_the_packages_of_a_missing_compiler() {
    let message = Machine::new().with("python3", WORKING_PIP).failure(&[]);
    assert_says(&message, &["no C++ compiler", "`c++`", "apt install g++", "dnf install gcc-c++", "CXX"]);
}

#[test]
fn a_compiler_named_by_cxx_is_the_one_that_is_tried() {
    let message = Machine::new().with("c++", WORKING_COMPILER).failure(&[("CXX", Path::new("no-such-compiler"))]);
    assert_says(&message, &["`no-such-compiler` was not found"]);
}

#[test]
fn shows_what_a_broken_compiler_says() {
    let message = Machine::new().with("c++", "echo 'memory: no such file' >&2; exit 1").failure(&[]);
    assert_says(&message, &["cannot build a C++17 library", "memory: no such file", "apt install g++"]);
}

#[test]
fn names_the_packages_of_a_missing_python() {
    let message = Machine::new().with("c++", WORKING_COMPILER).failure(&[]);
    assert_says(
        &message,
        &["`python3` was not found", "apt install python3-pip", "dnf install python3-pip", "LIBTORCH"],
    );
}

#[test]
fn names_the_package_of_a_missing_pip() {
    let machine = Machine::new()
        .with("c++", WORKING_COMPILER)
        .with("python3", "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    assert_says(
        &machine.failure(&[]),
        &["`python3 -m pip` does not work", "No module named pip", "apt install python3-pip"],
    );
}

#[test]
fn refuses_a_pip_that_is_too_old() {
    let machine =
        Machine::new().with("c++", WORKING_COMPILER).with("python3", "echo 'pip 20.0.2 from /x (python 3.8)'");
    assert_says(&machine.failure(&[]), &["pip 20.0 is too old", "install --upgrade pip"]);
}

#[test]
fn says_what_to_do_without_a_network() {
    let script = format!(
        "[ \"$3\" = --version ] && {{ {WORKING_PIP}; exit 0; }}\n\
         echo 'ERROR: No matching distribution found for torch' >&2; exit 1"
    );
    let message = Machine::new().with("c++", WORKING_COMPILER).with("python3", &script).failure(&[]);
    assert_says(&message, &["No matching distribution", "try again", "HTTPS_PROXY", "PIP_INDEX_URL", "LIBTORCH"]);
}

#[test]
fn asks_pip_for_the_exact_wheels_and_refuses_others() {
    // A pip that writes down what it is asked, and saves a wheel with the right name and the wrong content.
    let script = format!(
        "[ \"$3\" = --version ] && {{ {WORKING_PIP}; exit 0; }}\n\
         while [ $# -gt 0 ]; do case $1 in -d) folder=$2;; -r) list=$2;; esac; shift; done\n\
         while read -r line; do echo \"asked: $line\"; done < \"$list\"\n\
         echo forged > \"$folder/nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl\""
    );
    let machine = Machine::new().with("c++", WORKING_COMPILER).with("python3", &script);
    let expected = "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548";
    let message = machine.failure(&[]);
    assert_says(&message, &["asked: nvidia-cuda-runtime==13.0.96 --hash=sha256:", "is damaged", expected]);
    assert!(!machine.libtorch().join("lib").exists());
    // The next run does not trust what is left.
    assert_says(&machine.failure(&[]), &["is damaged and is fetched again"]);
}

#[test]
fn does_nothing_when_all_is_in_place() {
    let machine = Machine::new();
    for file in ["lib/libtorch_cpu.so", "lib/libtorch.so", "include/torch/all.h"] {
        let path = machine.libtorch().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    fs::write(machine.libtorch().join(".complete"), r#"{"libtorch": "2.11.0", "cuda": false}"#).unwrap();
    let output = machine.setup(&[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert_says(&message, &["libtorch 2.11.0 is in place"]);
}

#[test]
fn a_users_own_libtorch_wins_and_is_checked() {
    let machine = Machine::new().with("c++", WORKING_COMPILER);
    let own = machine.0.path().join("own");
    let message = machine.failure(&[("LIBTORCH", &own)]);
    assert_says(&message, &["LIBTORCH is", "lib/libtorch_cpu.so is missing", "2.11.0"]);

    for file in ["lib/libtorch_cpu.so", "include/torch/all.h"] {
        let path = own.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    fs::write(own.join("build-version"), "2.9.1+cpu\n").unwrap();
    assert_says(&machine.failure(&[("LIBTORCH", &own)]), &["2.9.1+cpu", "expected 2.11.0"]);

    fs::write(own.join("build-version"), "2.11.0+cpu\n").unwrap();
    let parts: &[(&str, &Path)] = &[("LIBTORCH_LIB", &own), ("LIBTORCH_INCLUDE", &own)];
    for variables in [&[("LIBTORCH", own.as_path())], parts] {
        let output = machine.setup(variables);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{message}");
        assert_says(&message, &["using libtorch 2.11.0+cpu"]);
    }
    assert!(!machine.libtorch().exists(), "nothing is fetched");
    assert_says(&machine.failure(&[("LIBTORCH_LIB", &own)]), &["LIBTORCH_LIB is set but LIBTORCH_INCLUDE is not"]);
}

#[test]
fn pytorch_of_another_version_is_refused() {
    let machine = Machine::new().with("c++", WORKING_COMPILER).with("python3", "echo '2.10.0+cu128 /venv/torch'");
    let message = machine.failure(&[("LIBTORCH_USE_PYTORCH", Path::new("1"))]);
    assert_says(&message, &["LIBTORCH_USE_PYTORCH", "2.10.0+cu128", "/venv/torch", "expected 2.11.0"]);
    let machine = Machine::new().with("c++", WORKING_COMPILER).with("python3", "echo '2.11.0+cu130 /venv/torch'");
    assert!(machine.setup(&[("LIBTORCH_USE_PYTORCH", Path::new("1"))]).status.success());
}
