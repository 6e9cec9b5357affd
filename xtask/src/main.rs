//! `cargo xtask`: everything a fresh machine needs to build, try, test and pack selfsame.

#[cfg(not(unix))]
compile_error!("selfsame builds on Linux; on Windows use the Windows Subsystem for Linux");

mod archive;
mod bench;
mod build;
mod demo;
mod dist;
mod external;
mod gpu_kit;
mod licences;
mod planes;
mod prerequisites;
mod runpath;
mod sdk;
mod setup;
mod share;
mod stand_in;
mod test;
mod unpack;
mod wheel;
mod wheels;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, tries, tests and packs selfsame")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch libtorch into .libtorch, or check the one that LIBTORCH names
    Setup {
        /// Fetch the CUDA libraries too (about 5 GB)
        #[arg(long)]
        cuda: bool,
    },
    /// Build the binary and all plugins, after `setup` where needed
    Build,
    /// Build, then train for a few minutes on generated pictures
    Demo {
        /// Passed to `selfsame train`, such as `--set scheduler.epochs=1`
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Build, then run all tests, or those that `cargo test` selects by ARGS
    Test {
        /// Passed to `cargo test`, also a `--` that comes after others
        #[arg(allow_hyphen_values = true)]
        args: Vec<OsString>,
        /// Passed to the test programs, where nothing comes before the `--`
        #[arg(last = true)]
        harness: Vec<OsString>,
    },
    /// Build, then time the training step, in turn with PyTorch's where it is installed
    Bench {
        /// A Python that has torch and torchvision
        #[arg(long, value_name = "PROGRAM", default_value = "python3")]
        python: String,
    },
    /// Build, then pack program, plugins, SDK, configurations, documents and licences into target/dist
    Dist,
    /// Build, then pack program, plugins and configurations as a Python wheel into target/dist
    Wheel,
    /// Build, then pack what a GPU machine without network and Rust needs to check and measure selfsame, into target/dist
    GpuKit {
        /// The folder of CIFAR-10's binary version, to pack with it; without it, the kit trains on rendered shapes
        #[arg(long, value_name = "FOLDER")]
        cifar: Option<PathBuf>,
        /// Where the archives go [default: target/dist]
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let outcome = Workspace::locate().and_then(|workspace| match Arguments::parse().command {
        Task::Setup { cuda } => setup::run(&workspace, cuda).map(|()| ExitCode::SUCCESS),
        Task::Build => build::run(&workspace).map(|_| ExitCode::SUCCESS),
        Task::Demo { args } => demo::run(&workspace, &args),
        Task::Test { args, harness } => test::run(&workspace, &args, &harness),
        Task::Bench { python } => bench::run(&workspace, &python).map(|()| ExitCode::SUCCESS),
        Task::Dist => dist::run(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Wheel => wheel::run(&workspace).map(|()| ExitCode::SUCCESS),
        Task::GpuKit { cifar, out } => {
            gpu_kit::run(&workspace, cifar.as_deref(), out.as_deref()).map(|()| ExitCode::SUCCESS)
        }
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
