//! One function a command.

use super::args::{Cli, Command, ConfigArgs, ConfigCommand, DataCommand, ExportArgs, PluginsCommand, RunArgs, TrainArgs};
use super::failure::Failure;
use super::{doctor, open};
use crate::config::{self, explain, show};
use crate::output::progress::DownloadProgress;
use crate::output::{export, report};
use crate::plugin::{Registry, listing};
use crate::train::{self, TrainError, TrainRequest};
use std::io::Write;

/// Runs the command and answers its exit code.
pub fn dispatch(cli: &Cli) -> Result<u8, Failure> {
    match &cli.command {
        Command::Train(arguments) => return train(cli, arguments),
        Command::Export(arguments) => export(arguments)?,
        Command::Report(RunArgs { run }) => say(&report::report(run).map_err(Failure::data)?),
        Command::Plugins(PluginsCommand::List { json }) => {
            let registry = open::registry(&cli.common);
            say(&if *json { pretty(&listing::json(&registry)) } else { listing::table(&registry) });
        }
        Command::Plugins(PluginsCommand::Inspect { file, json }) => {
            let inspection = listing::inspect(file)?;
            say(&if *json { pretty(&inspection.json()) } else { inspection.text() });
        }
        Command::Config(command) => configuration(cli, command)?,
        Command::Data(DataCommand::Fetch(arguments)) => fetch(cli, arguments)?,
        Command::Doctor => say(&doctor::report(&cli.common.plugins)),
    }
    Ok(0)
}

fn train(cli: &Cli, arguments: &TrainArgs) -> Result<u8, Failure> {
    let registry = open::registry(&cli.common);
    let mut extra = Vec::new();
    if let Some(folder) = &arguments.output_dir {
        extra.push(format!("train.output_dir={}", quoted(&folder.to_string_lossy())));
    }
    if arguments.resume {
        extra.push("train.resume_from_last_checkpoint=true".to_owned());
    }
    let resolved = open::configuration(&arguments.config, &extra, &registry)?;
    let request = TrainRequest { config: &resolved.config, registry: &registry, quiet: cli.common.quiet };
    match train::run(&request) {
        Ok(summary) => {
            say(&summary);
            Ok(0)
        }
        Err(TrainError::Stopped { code, .. }) if code == 0 => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn export(arguments: &ExportArgs) -> Result<(), Failure> {
    export::copy_encoder(&arguments.run, &arguments.out).map_err(Failure::data)
}

fn configuration(cli: &Cli, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(arguments) => {
            say(&show::show(&open::configuration(arguments, &[], &open::registry(&cli.common))?));
        }
        ConfigCommand::Check(arguments) => {
            open::configuration(arguments, &[], &open::registry(&cli.common))?;
            say("the configuration is valid");
        }
        ConfigCommand::Explain { key } => say(&explain::explain(key)?),
        ConfigCommand::Schema => say(&pretty(&config::schema_json())),
    }
    Ok(())
}

fn fetch(cli: &Cli, arguments: &ConfigArgs) -> Result<(), Failure> {
    let registry: Registry = open::registry(&cli.common);
    let resolved = open::configuration(arguments, &[], &registry)?;
    train::prepare_dataset(&resolved.config, &registry, &DownloadProgress::new(cli.common.quiet))?;
    say(&format!("data set {} is ready", resolved.config.dataset.name));
    Ok(())
}

/// A YAML scalar that reads back as exactly this text.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Prints a result to standard output; a reader that has gone away (`| head`) is no error.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.trim_end());
}
