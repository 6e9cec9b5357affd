//! One function a command.

use super::args::{Cli, Command, ConfigCommand, ExportArgs, ExportFormat, PluginsCommand, RunArgs};
use super::failure::Failure;
use super::{data, doctor, embed, evaluate, open, preview, train};
use crate::config;
use crate::output::{export, report, torchscript};
use crate::plugin::{install, listing, search, skeleton};
use crate::train::run_folder::RunRecord;
use crate::train::{TrainError, checkpoint, session, state};
use indicatif::MultiProgress;
use std::io::Write;
use std::path::Path;
use tch::Device;

/// Runs the command.
pub fn dispatch(cli: &Cli, bars: &MultiProgress) -> Result<(), Failure> {
    match &cli.command {
        Command::Train(arguments) => say(&train::train(cli, arguments, bars)?),
        Command::Evaluate(arguments) => say(&evaluate::evaluate(cli, arguments, bars)?),
        Command::Embed(arguments) => say(&embed::embed(cli, arguments, bars)?),
        Command::Export(arguments) => export(cli, arguments)?,
        Command::Report(RunArgs { run }) => report(run)?,
        Command::Preview(arguments) => say(&preview::preview(cli, arguments, bars)?),
        Command::Plugins(PluginsCommand::List { json }) => {
            let registry = open::registry(&cli.common);
            say(&if *json { pretty(&listing::json(&registry)) } else { listing::table(&registry) });
        }
        Command::Plugins(PluginsCommand::Inspect { file, json }) => {
            let inspection = listing::inspect(file)?;
            say(&if *json { pretty(&inspection.json()) } else { inspection.text() });
        }
        Command::Plugins(PluginsCommand::New { name, encoder, api, .. }) => {
            let kind = if *encoder { skeleton::Kind::Encoder } else { skeleton::Kind::Dataset };
            let folder = skeleton::create(Path::new(""), name, kind, api.as_deref())?;
            say(&format!("{0}\nBuild it with `cd {0} && cargo build --release`", folder.display()));
        }
        Command::Plugins(PluginsCommand::Install { file, force }) => {
            let folder = search::user_directory().ok_or_else(|| {
                Failure::usage(
                    "there is no home folder to install into; set XDG_DATA_HOME, or copy the file into ./plugins",
                )
            })?;
            say(&install::install(file, &folder, *force)?.text());
        }
        Command::Config(command) => configuration(cli, command)?,
        Command::Data(command) => data::data(cli, command, bars)?,
        Command::Doctor => say(&doctor::report(&cli.common.plugins)),
    }
    Ok(())
}

/// Writes the encoder of the newest checkpoint, so that a run need not be finished.
fn export(cli: &Cli, arguments: &ExportArgs) -> Result<(), Failure> {
    let record = RunRecord::read(&arguments.run).map_err(TrainError::from)?;
    let checkpoint = checkpoint::latest(&arguments.run).map_err(TrainError::from)?;
    let checkpoint = checkpoint.ok_or_else(|| {
        Failure::data(format!("{} holds no intact checkpoint to export from", arguments.run.display()))
    })?;
    let mut contents = checkpoint.load().map_err(TrainError::from)?;
    let model = contents.groups.remove("model").unwrap_or_default().into_iter();
    let tensors: Vec<_> =
        model.filter_map(|(name, tensor)| Some((name.strip_prefix("encoder.")?.to_owned(), tensor))).collect();
    let out = &arguments.out;
    match arguments.format {
        ExportFormat::Safetensors => {
            export::export_encoder(out, &tensors, &record.encoder, &record.dataset).map_err(TrainError::from)?;
        }
        ExportFormat::Torchscript => {
            let config = serde_json::from_value(contents.state["config"].take())
                .map_err(|error| Failure::data(format!("{}: its configuration: {error}", checkpoint.path.display())))?;
            let input = record.input_size;
            let [channels, height, width] = input;
            let registry = open::registry(&cli.common);
            let encoder = session::build_encoder(&config, &registry, channels, (height, width), Device::Cpu)?;
            state::restore(&state::encoder_tensors(encoder.as_ref()), &tensors.into_iter().collect())?;
            torchscript::export_torchscript(out, encoder.as_ref(), input)?;
        }
    }
    say(&format!("{} (after step {})", arguments.out.display(), checkpoint.step));
    Ok(())
}

fn report(run: &Path) -> Result<(), Failure> {
    let page = report::write_html(run).map_err(TrainError::from)?;
    say(&format!("{}\n{}", report::summary(run).map_err(TrainError::from)?, page.display()));
    Ok(())
}

fn configuration(cli: &Cli, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(arguments) => {
            say(&config::show(&open::configuration(arguments, &[], &open::registry(&cli.common))?)?);
        }
        ConfigCommand::Check(arguments) => {
            open::checked_configuration(arguments, &open::registry(&cli.common))?;
            say("the configuration is valid");
        }
        ConfigCommand::Explain { key } => say(&config::explain(key)?),
        ConfigCommand::Schema => say(&pretty(&config::json_schema())),
    }
    Ok(())
}

/// JSON for people.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Prints a result to standard output; a reader that has gone away (`| head`) is no error.
pub(super) fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.trim_end());
}
