//! `selfsame plugins check`: one process checks, another one watches it, so that there is a verdict whatever the plugin does.

use super::args::Cli;
use super::failure::Failure;
use super::open;
use super::plugin_args::CheckArgs;
use super::print::{self, pretty, say};
use crate::config::{self, Config, Sources};
use crate::conformance::{self, Checks, Event, Supervised};
use crate::output::logging::Color;
use crate::plugin::{self, search};
use crate::train::signals::Stop;
use rustix::process::{Signal, set_parent_process_death_signal};
use selfsame_plugin_api::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What `plugins check` may be told by `--set`, each alone or with what is below it.
const CHECKED: [&str; 3] = ["dataset.dataset_dir", "dataset.options", "encoder.options"];

/// Prints the verdicts; a failed one is the plugin's failure.
pub(super) fn check(cli: &Cli, arguments: &CheckArgs) -> Result<(), Failure> {
    let is_checked = |set: &&String| {
        let key = set.split('=').next().unwrap_or_default().trim();
        CHECKED.iter().any(|known| key.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    if let Some(other) = arguments.sets.iter().find(|set| !is_checked(set)) {
        return Err(Failure::usage(format!("--set {other}: a check of a plugin only takes {}", CHECKED.join(", "))));
    }
    let sources = Sources { sets: arguments.sets.clone(), ..Sources::default() };
    let config = config::load(&sources)?.config;
    let stop = Stop::install()?;
    if let Some(after) = arguments.watched_after {
        return check_watched(cli, arguments, after, &config, &stop);
    }
    let file = open::registry(&cli.common).locate(&arguments.file)?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::data(format!("the program does not find itself, to check in a process: {error}")))?;
    let checker = |after| command(&program, cli, arguments, &file, after);
    let limit = Duration::from_secs(arguments.call_limit);
    let report = match conformance::supervise(&file, checker, limit, &|| stop.requested())? {
        Supervised::Checked(report) => report,
        Supervised::Told(code) => return Err(Failure::told_elsewhere(code)),
    };
    say(&if arguments.json { pretty(&serde_json::json!(report)) } else { report.text() })?;
    match report.failed() {
        0 => Ok(()),
        failed => Err(Failure::of_kind(
            ErrorKind::Contract,
            format!("{}: {failed} of {} checks failed", file.display(), report.verdicts.len()),
        )),
    }
}

/// The process that checks.
fn command(program: &Path, cli: &Cli, arguments: &CheckArgs, file: &Path, after: usize) -> Command {
    let mut command = Command::new(program);
    let (common, watched) = (&cli.common, after.to_string());
    command.args(["plugins", "check", "--watched-after", &watched]);
    command.args(common.quiet.then_some("--quiet")).args(common.verbose.then_some("--verbose"));
    command.args(matches!(common.color, Color::Always).then_some("--color=always"));
    command.args(matches!(common.color, Color::Never).then_some("--color=never"));
    for folder in &common.plugins {
        command.arg("--plugins").arg(folder);
    }
    command.args(arguments.only.iter().map(|name| format!("--only={name}")));
    command.args(arguments.sets.iter().map(|set| format!("--set={set}")));
    command.arg("--").arg(file);
    command
}

/// Checks, and tells the process that watches, which may end at any time.
fn check_watched(cli: &Cli, arguments: &CheckArgs, after: usize, config: &Config, stop: &Stop) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::data(format!("the process that watches cannot be watched: {error}")))?;
    print::reserve_stdout()?;
    plugin::hear_calls(|method, moment| tell(Event::Call { method: method.to_owned(), moment }));
    let is_stopped = || stop.requested().is_some();
    let dirs = search::directories(&cli.common.plugins);
    let checks = Checks { only: &arguments.only, after, config, dirs: &dirs, is_stopped: &is_stopped };
    let checked = conformance::check_and_tell(&arguments.file, &checks, &tell);
    checked.map_err(|error| Failure::from(error).signalled(stop))
}

fn tell(event: Event) {
    // Where nobody reads it, this process is about to be ended.
    let _ = serde_json::to_string(&event).map(|line| say(&line));
}
