//! One function a command.

use super::args::{Cli, Command, ConfigCommand, ExportArgs, ExportFormat, ReportArgs, RunsArgs};
use super::failure::Failure;
use super::plugin_args::PluginsCommand;
use super::print::{ensure_new, pretty, say};
use super::{check, data, doctor, embed, evaluate, init, open, predict, preview, shell, train};
use crate::config;
use crate::output::host_services::HostServices;
use crate::output::runs::{self, comparison};
use crate::output::{report, timm, torchscript};
use crate::plugin::{install, listing, pack, remove, search, skeleton};
use crate::run::{encoder_file, state};
use crate::world::Start;
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};
use tch::Device;

/// Runs the command.
pub fn dispatch(cli: &Cli, start: Start, bars: &MultiProgress) -> Result<(), Failure> {
    match &cli.command {
        Command::Train(arguments) => return train::train(cli, arguments, start, bars),
        Command::Doctor(arguments) => return doctor::doctor(arguments, &cli.common.plugins, start),
        command if command.computes() && matches!(start, Start::Member(_)) => {
            return Err(Failure::usage(
                "only `selfsame train` works with several processes, and this is one of several (RANK and WORLD_SIZE, or a \
                 step of Slurm or mpirun); start the command once",
            ));
        }
        _ => {}
    }
    match &cli.command {
        Command::Train(_) | Command::Doctor(_) => {}
        Command::Init(arguments) => say(&init::init(cli, arguments, bars)?)?,
        Command::Evaluate(arguments) => say(&evaluate::evaluate(cli, arguments, bars)?)?,
        Command::Embed(arguments) => say(&embed::embed(cli, arguments, bars)?)?,
        Command::Predict(arguments) => say(&predict::predict(cli, arguments, bars)?)?,
        Command::Export(arguments) => export(cli, arguments, bars)?,
        Command::Report(arguments) => report(arguments)?,
        Command::Runs(RunsArgs { folder, json }) => {
            let mut found = runs::below(folder)?;
            let sorted_by = runs::sort(&mut found);
            say(&if *json { pretty(&runs::json(&found)) } else { runs::table(&found, sorted_by.as_ref()) })?;
        }
        Command::Preview(arguments) => say(&preview::preview(cli, arguments, bars)?)?,
        Command::Plugins(PluginsCommand::List { json }) => {
            let registry = open::registry(&cli.common);
            say(&if *json { pretty(&listing::json(&registry)) } else { listing::table(&registry) })?;
        }
        Command::Plugins(PluginsCommand::Inspect { file, json }) => {
            let dirs = search::directories(&cli.common.plugins);
            let inspection = listing::inspect(&open::registry(&cli.common).locate(file)?, &dirs)?;
            say(&if *json { pretty(&inspection.json()) } else { inspection.text() })?;
            inspection.judge()?;
        }
        Command::Plugins(PluginsCommand::New { name, encoder, api, git, rev, .. }) => {
            let kind = if *encoder { skeleton::Kind::Encoder } else { skeleton::Kind::Dataset };
            let api = match (api, git) {
                (Some(folder), _) => skeleton::Api::Folder(folder.as_path()),
                (None, Some(url)) => skeleton::Api::Git { url, rev: rev.as_deref() },
                (None, None) => skeleton::Api::Released,
            };
            let folder = skeleton::create(Path::new(""), name, kind, api)?;
            let build = format!("Build it with `cd {} && cargo build --release`", folder.display());
            let first = match api {
                skeleton::Api::Released => {
                    "Its Cargo.toml names the published SDK; where this version is not published, name a repository with \
                     `--git URL --rev REV`, or a copy with `--api PATH`\n"
                }
                _ => "",
            };
            say(&format!("{}\n{first}{build}", folder.display()))?;
        }
        Command::Plugins(PluginsCommand::Install { file, force }) => {
            let dirs = search::directories(&cli.common.plugins);
            say(&install::install(file, &install_folder()?, *force, &dirs)?.text(&dirs))?;
        }
        Command::Plugins(PluginsCommand::Pack { file, out, version, force }) => {
            let dirs = search::directories(&cli.common.plugins);
            say(&pack::pack(file, out, version.as_deref(), *force, &dirs)?.text())?;
        }
        Command::Plugins(PluginsCommand::Remove { name }) => say(&remove::remove(name, &install_folder()?)?)?,
        Command::Plugins(PluginsCommand::Check(arguments)) => check::check(cli, arguments)?,
        Command::Config(command) => configuration(cli, command)?,
        Command::Data(command) => data::data(cli, command, bars)?,
        Command::Completions { shell } => say(&shell::completions(*shell))?,
        Command::Man { folder } => shell::man(folder)?,
    }
    Ok(())
}

fn install_folder() -> Result<PathBuf, Failure> {
    search::user_directory().ok_or_else(|| {
        Failure::usage("there is no home folder to install into; set XDG_DATA_HOME, or copy the file into ./plugins")
    })
}

/// Writes the encoder of the newest checkpoint, so that a run need not be finished.
fn export(cli: &Cli, arguments: &ExportArgs, bars: &MultiProgress) -> Result<(), Failure> {
    let format = match (arguments.format, arguments.out.extension().and_then(|extension| extension.to_str())) {
        (Some(format), _) => format,
        (None, Some("safetensors")) => ExportFormat::Safetensors,
        (None, Some("pt")) => ExportFormat::Torchscript,
        _ => {
            let out = arguments.out.display();
            return Err(Failure::usage(format!(
                "{out}: expected a name that ends in .safetensors or .pt, or --format (a folder for timm: `--format timm`)"
            )));
        }
    };
    match format {
        ExportFormat::Timm => ensure_new(&arguments.out.join("model.safetensors"), arguments.force)?,
        _ => ensure_new(&arguments.out, arguments.force)?,
    }
    let registry = open::registry(&cli.common);
    let (run, sets) = open::encoder(&arguments.encoder, &registry, &HostServices::new(bars, &|| false))?;
    if let Some(set) = sets.first() {
        let message = "an exported encoder is that of its run; `--set` goes with `--init`";
        return Err(Failure::usage(format!("--set {set}: {message}")));
    }
    // Of several encoders (BYOL's target, a moving average), the one that is evaluated.
    let (method, weights) = run.load(&registry, Device::Cpu)?;
    let (out, record) = (&arguments.out, &run.record);
    match format {
        ExportFormat::Safetensors => {
            let tensors = state::encoder_tensors(method.encoder());
            let metadata = encoder_file::metadata(record, &run.config, &run.embedding(method.as_ref()))?;
            encoder_file::export_encoder(out, &tensors, &metadata)?;
        }
        ExportFormat::Timm => {
            let embedding = run.embedding(method.as_ref());
            let files = timm::export_timm(out, &run, method.encoder(), &embedding, &registry)?;
            files.iter().try_for_each(|file| say(&file.display().to_string()))?;
        }
        ExportFormat::Torchscript => torchscript::export_torchscript(out, method.encoder(), record.input_size)?,
    }
    let step = weights.step.map(|step| format!(" (after step {step})")).unwrap_or_default();
    say(&format!("{}{step}", out.display()))?;
    Ok(())
}

fn report(arguments: &ReportArgs) -> Result<(), Failure> {
    let ReportArgs { runs, out, force } = arguments;
    if let Some(out) = out {
        ensure_new(out, *force)?;
    }
    match (runs.as_slice(), out) {
        ([run], out) => {
            // A folder that cannot be written to keeps nobody from reading.
            say(report::summary(run)?.trim_end())?;
            let page = match out {
                Some(out) => report::write_html_as(run, out).map(|()| out.clone())?,
                None => report::write_html(run)?,
            };
            say(&format!("\n{}", page.display()))?;
        }
        (_, None) => {
            return Err(Failure::usage(
                "several runs come onto one page: name it with --out FILE, such as --out runs.html",
            ));
        }
        (several, Some(out)) => {
            let mut compared = comparison::write(several, out)?;
            let sorted_by = runs::sort(&mut compared);
            say(&format!("{}\n\n{}", runs::table(&compared, sorted_by.as_ref()), out.display()))?;
        }
    }
    Ok(())
}

fn configuration(cli: &Cli, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(arguments) => {
            say(&config::show(&open::configuration(arguments, &[], &[], &open::registry(&cli.common))?)?)?;
        }
        ConfigCommand::Check(arguments) => {
            open::checked_configuration(arguments, &open::registry(&cli.common))?;
            say("the configuration is valid")?;
        }
        ConfigCommand::Explain { key } => say(&config::explain(key)?)?,
        ConfigCommand::Schema => say(&pretty(&config::json_schema()))?,
    }
    Ok(())
}
