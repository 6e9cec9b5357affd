//! What happens before and around a command.

use super::args::{self, Cli, Common};
use super::failure::Failure;
use super::values::ProgressTo;
use crate::output::logging::{self, Verbosity};
use crate::output::{events, terminal};
use crate::run::log;
use crate::train::signals;
use crate::world::{self, Asked, LaunchError, Start};
use clap::Parser;
use indicatif::{MultiProgress, ProgressDrawTarget};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Variables that libraries read while they are loaded, before `main`.
///
/// Waiting passively keeps libtorch's threads from spinning against each other on a busy machine. The other two keep
/// freed tensors in the process: glibc otherwise gives large ones back to the kernel after every operation, and a
/// training step spends a quarter of its time on page faults. dicom-rs makes an error at the end of every header; where
/// `RUST_BACKTRACE` is set, each would look at the stack.
const VARIABLES: [(&str, &str); 4] = [
    ("OMP_WAIT_POLICY", "PASSIVE"),
    ("MALLOC_MMAP_MAX_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "1099511627776"),
    ("RUST_LIB_BACKTRACE", "0"),
];

/// Starts the process again, once, with the environment variables that libtorch and the allocator read before `main`; a
/// user's own values win.
pub fn restart_prepared() {
    let mut missing: Vec<(&str, String)> = VARIABLES.map(|(name, value)| (name, value.to_owned())).into();
    if let Ok(Start::Member(launch)) = start(&Asked::default()) {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        missing.push(("OMP_NUM_THREADS", (cores / launch.local_size).max(1).to_string()));
    }
    missing.retain(|(name, _)| std::env::var_os(name).is_none());
    let Ok(program) = std::env::current_exe() else { return };
    if missing.is_empty() {
        return;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "selfsame".into());
    let error = Command::new(program).arg0(name).args(arguments).envs(missing).exec();
    let _ =
        writeln!(std::io::stderr(), "warning: the program could not restart itself ({error}); training may be slow");
}

/// Whether this process is alone, one of several, or to start them.
pub fn start(asked: &Asked) -> Result<Start, LaunchError> {
    world::start(&|name| std::env::var(name).ok(), asked)
}

/// Reads the process's own arguments; ends the process where they are no command, or ask for help.
pub fn command_line() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        // clap sends words to the terminal as they are, so it is told of them as they are shown.
        let shown = std::env::args_os().map(|word| terminal::in_one_line(&word.to_string_lossy()).into_owned());
        Cli::try_parse_from(shown).err().unwrap_or(error).exit()
    })
}

/// SIGUSR1 asks a training run to save; nothing else ends by it either, whatever the process is doing.
pub fn outlive_save_requests() {
    if let Err(error) = signals::outlive_save_requests() {
        let _ = writeln!(std::io::stderr(), "warning: SIGUSR1 would end this process ({error})");
    }
}

/// Tells programs what goes on, and keeps messages for a run's log, where the command is one that trains.
///
/// # Errors
/// A file for the events that cannot be opened.
pub fn tell_of_progress(command: &args::Command) -> Result<(), Failure> {
    let args::Command::Train(arguments) = command else { return Ok(()) };
    if !arguments.dry_run && arguments.profile.is_none() {
        let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let command = format!("selfsame {}: {}", env!("CARGO_PKG_VERSION"), shell_words::join(&words));
        log::expect(&terminal::message(&command));
    }
    match &arguments.progress {
        ProgressTo::Bars => Ok(()),
        ProgressTo::Json(file) => events::start(file.as_deref()).map_err(|error| {
            let file = file.as_deref().unwrap_or(Path::new("")).display();
            Failure::data(format!("--progress json:{file}: the file cannot be opened: {error}"))
        }),
    }
}

/// Sends log lines to standard error as the flags ask, or hardly any where another process `speaks`; progress goes to the
/// returned bars.
pub fn set_up_logging(common: &Common, speaks: bool) -> MultiProgress {
    let verbosity = match (common.quiet, common.verbose) {
        (_, true) => Verbosity::Verbose,
        _ if !speaks => Verbosity::Silent,
        (true, _) => Verbosity::Quiet,
        _ => Verbosity::Normal,
    };
    let hidden = common.quiet || !speaks || events::are_on_stderr();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bars = MultiProgress::with_draw_target(target);
    logging::init(verbosity, common.color, &bars);
    bars
}

/// Runs a command; a panic becomes an error, without a backtrace.
pub fn guarded(command: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let place = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&place);
    std::panic::set_hook(Box::new(move |info| {
        if let (Some(location), Ok(mut seen)) = (info.location(), seen.lock()) {
            *seen = format!("{}:{}", location.file(), location.line());
        }
    }));
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("unknown panic");
        let place = place.lock().map(|place| place.clone()).unwrap_or_default();
        Err(Failure::panicked(message, &place))
    })
}
