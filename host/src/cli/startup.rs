//! What happens before and around a command.

use super::args::Common;
use super::failure::Failure;
use crate::output::logging::{self, Verbosity};
use indicatif::{MultiProgress, ProgressDrawTarget};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Makes OpenMP's threads wait passively, unless the user says otherwise.
///
/// On a busy machine libtorch's threads otherwise spin against each other. The OpenMP library reads the variable when
/// it is loaded, before `main`, so the process has to start again, once.
pub fn wait_passively() {
    const VARIABLE: &str = "OMP_WAIT_POLICY";
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "selfsame".into());
    let error = Command::new(program).arg0(name).args(arguments).env(VARIABLE, "PASSIVE").exec();
    eprintln!("warning: could not restart with {VARIABLE}=PASSIVE ({error}); training may be slow on a busy machine");
}

/// Sends log lines to standard error as the flags ask; progress goes to the bars answered.
pub fn set_up_logging(common: &Common) -> MultiProgress {
    let verbosity = match (common.quiet, common.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let target = if common.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
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
