//! The command line: words in, one exit code out.
//!
//! 0 done; 2 usage or configuration; 3 data; 4 plugin; 5 device or memory; 6 a process of several is lost; 129, 130 and 143
//! stopped by a signal.

mod args;
mod check;
mod commands;
mod data;
mod data_args;
mod doctor;
mod dry_run;
mod embed;
mod encoder_args;
mod evaluate;
mod failure;
mod init;
mod new_images;
mod open;
mod own_config;
mod plugin_args;
mod predict;
mod preview;
mod print;
mod profile;
mod run_args;
mod several;
mod shell;
mod shipped;
mod startup;
mod train;
mod train_args;
mod values;
mod views_sheet;

pub use startup::restart_prepared;

use crate::libtorch;
use crate::output::events;
use crate::plugin;
use crate::world::Start;
use failure::Failure;
use std::process::ExitCode;

/// Runs the program on the process's own arguments.
pub fn run() -> ExitCode {
    startup::outlive_save_requests();
    let cli = startup::command_line();
    if cli.command.computes() {
        if let Some(message) = libtorch::lacking() {
            let failure = Failure { message, code: 5 };
            failure.print();
            return ExitCode::from(failure.code);
        }
        restart_prepared();
    }
    let start = startup::start(&cli.command.asked());
    let speaks = match &start {
        Ok(Start::Member(launch)) => launch.rank == 0,
        Ok(Start::Fleet(_)) => false,
        Ok(Start::Alone) | Err(_) => true,
    };
    let told = if speaks { startup::tell_of_progress(&cli.command) } else { Ok(()) };
    let bars = startup::set_up_logging(&cli.common, speaks);
    let outcome = startup::guarded(|| {
        told?;
        // What starts others hands its own on to the one that speaks.
        if cli.command.answers_in_json() && !matches!(start, Ok(Start::Fleet(_))) {
            print::reserve_stdout()?;
        }
        commands::dispatch(&cli, start.map_err(|error| Failure::usage(error.to_string()))?, &bars)
    });
    plugin::expect_exit();
    let code = match outcome {
        Ok(()) => 0,
        Err(failure) => {
            failure.print();
            failure.code
        }
    };
    events::tell("end", serde_json::json!({"code": code}));
    ExitCode::from(code)
}
