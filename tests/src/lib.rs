//! Helpers for whole-program tests: the built binary in a folder of its own.

pub mod bands;
pub mod browser;
pub mod dicom;
pub mod launcher;
pub mod mirror;
pub mod rsna;
mod running;
pub mod standin;
pub mod terminal;
pub mod weights;
pub mod wrap;

pub use running::Running;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A temporary working folder in which the program sees no user's files and no user's configuration.
#[derive(Debug)]
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A path inside the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file inside the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file in the sandbox");
        path
    }

    /// The program with these arguments, separated by spaces, run from inside the folder.
    pub fn command(&self, arguments: &str) -> Command {
        self.command_of(&binary(), arguments)
    }

    /// A copy of the program with these arguments, as [`command`](Self::command).
    pub fn command_of(&self, program: &Path, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).args(arguments.split_whitespace());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SELFSAME_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data-home"))
            .env("OMP_NUM_THREADS", "1")
            // With these the program need not start itself again.
            .envs(PREPARED)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &str) -> Ran {
        self.start(arguments).finish()
    }

    /// Starts the program and lets it run.
    pub fn start(&self, arguments: &str) -> Running {
        Running::start(&mut self.command(arguments))
    }
}

/// What a finished program said.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Reads a finished process.
    pub fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless the program succeeded.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the program ended with `code` and one error that holds each of `parts`.
    #[track_caller]
    pub fn failed(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        let errors = self.stderr.lines().filter(|line| line.starts_with("error:")).count();
        assert_eq!(errors, 1, "stderr:\n{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in stderr:\n{}", self.stderr);
        }
        for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Exception raised from", "frame #0"] {
            assert!(!self.stderr.contains(noise), "`{noise}` in stderr:\n{}", self.stderr);
        }
        self
    }
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' parent folder").to_path_buf()
}

/// The built program, beside the test's own executable; `cargo xtask test` builds it.
pub fn binary() -> PathBuf {
    let binary = built("selfsame");
    assert!(binary.exists(), "{} is missing; run the tests with `cargo xtask test`", binary.display());
    binary
}

/// An example of the library; `cargo xtask test` builds it.
pub fn example(name: &str) -> PathBuf {
    let example = built(&format!("examples/{name}"));
    assert!(example.exists(), "{} is missing; run the tests with `cargo xtask test`", example.display());
    example
}

/// The folder of plugins that is staged beside the program.
pub fn plugins() -> PathBuf {
    let plugins = built("plugins");
    assert!(plugins.exists(), "{} is missing; run the tests with `cargo xtask test`", plugins.display());
    plugins
}

/// The library of a plugin below `tests/plugins`; `cargo xtask test` builds it.
pub fn test_plugin(name: &str) -> PathBuf {
    let file = built(&format!("libselfsame_{name}_plugin.so"));
    assert!(file.exists(), "{} is missing; run the tests with `cargo xtask test`", file.display());
    file
}

fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    test.parent().and_then(Path::parent).expect("the target folder").join(name)
}

/// The variables that the program sets for itself, by starting itself again, before it computes.
pub const PREPARED: [(&str, &str); 4] = [
    ("OMP_WAIT_POLICY", "PASSIVE"),
    ("MALLOC_MMAP_MAX_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "1099511627776"),
    ("RUST_LIB_BACKTRACE", "0"),
];

/// Arguments that cut a run down to a second: a tiny data set, the smallest encoder, few steps.
pub const TINY: &str = "--set dataset.name=shapes --set dataset.options.train_size=64 --set data.limit.val=40 \
                        --set train.self_supervision.encoder_name=resnet8 --set train.batch_size=16 \
                        --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 \
                        --set train.device=cpu --set knn.k=5";

/// The lines of a run's metrics file.
pub fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("metrics.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// Compiles a plugin's crate outside of the workspace, and returns the library of this name. What the workspace has compiled
/// is shared, so that only the crate's own code is compiled.
pub fn compile(crate_folder: &Path, library: &str) -> PathBuf {
    // The versions that the workspace has downloaded.
    std::fs::copy(repository().join("Cargo.lock"), crate_folder.join("Cargo.lock")).expect("a copy of Cargo.lock");
    let target = binary().ancestors().nth(2).expect("the target folder").to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--release", "--offline"])
        .args(["--config", "profile.release.strip='debuginfo'"])
        .args(["--config", "profile.release.package.torch-sys.opt-level=0"])
        .current_dir(crate_folder)
        .env("CARGO_TARGET_DIR", target)
        .stderr(Stdio::piped());
    Running::within(Duration::from_secs(3600), &mut cargo).finish().succeeded();
    binary().with_file_name(library)
}
