//! The command line: words in, one exit code out.
//!
//! 0 done; 2 usage or configuration; 3 data; 4 plugin; 5 device or memory; 129, 130 and 143 stopped by a signal.

mod args;
mod commands;
mod data;
mod doctor;
mod embed;
mod evaluate;
mod failure;
mod open;
mod own_config;
mod preview;
mod print;
mod startup;
mod train;

pub use startup::restart_prepared;

use std::process::ExitCode;

/// Runs the program on the process's own arguments.
pub fn run() -> ExitCode {
    startup::outlive_save_requests();
    let cli = startup::command_line();
    if cli.command.computes() {
        restart_prepared();
    }
    let bars = startup::set_up_logging(&cli.common);
    match startup::guarded(|| commands::dispatch(&cli, &bars)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code)
        }
    }
}
