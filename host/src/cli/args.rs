//! The words of the command line; those of each command stand in a file of their kind.

pub use super::data_args::{CacheCommand, DataCommand, PreviewArgs};
pub use super::encoder_args::{
    EmbedArgs, EncoderArgs, EvaluateArgs, ExportArgs, ExportFormat, PredictArgs, TrainedArgs,
};
use super::plugin_args::PluginsCommand;
pub use super::run_args::{ReportArgs, RunsArgs};
pub use super::train_args::{InitArgs, TrainArgs};
use super::values::{Processes, path, processes};
pub use super::values::{Resume, SplitChoice};
use crate::output::logging::Color;
use crate::world::Asked;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Trains image encoders without labels, from any data set, and watches how good the embeddings are.
#[derive(Debug, Parser)]
#[command(name = "selfsame", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Args)]
pub struct Common {
    /// A folder with plugins, searched before all others; may be given several times
    #[arg(long = "plugins", value_name = "DIR", global = true, value_parser = path())]
    pub plugins: Vec<PathBuf>,
    /// Warnings and errors only, and no progress
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Details, such as the full report of a plugin that does not fit
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// When to colour what goes to the terminal
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,
}

/// Where a run's configuration comes from.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// A run file, or the name of a shipped one; may be given several times, later ones win
    #[arg(long = "config", short, value_name = "FILE", value_parser = path())]
    pub files: Vec<PathBuf>,
    /// One value, as `train.batch_size=64`; may be given several times, wins over files and environment
    #[arg(long = "set", short, value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at a folder of images and write a run file for it, each value with its reason
    Init(InitArgs),
    /// Train an encoder
    Train(TrainArgs),
    /// Judge a trained encoder with labels, on the test split
    Evaluate(EvaluateArgs),
    /// Write the embeddings of a data set's images
    Embed(EmbedArgs),
    /// Classify new images with what `evaluate --keep` has kept
    Predict(PredictArgs),
    /// Write a trained encoder as one file
    Export(ExportArgs),
    /// Print a run's results and write its report.html; several runs come onto one page
    Report(ReportArgs),
    /// List the runs below a folder with their scores, the best first
    Runs(RunsArgs),
    /// Draw images of the data set beside their random views
    Preview(PreviewArgs),
    /// Show the plugins and what they provide
    #[command(subcommand)]
    Plugins(PluginsCommand),
    /// Show, explain and check configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Get a data set ready, check and describe it
    #[command(subcommand)]
    Data(DataCommand),
    /// Show what this machine offers, and what to do where something is missing (exit code 5)
    Doctor(DoctorArgs),
    /// Print the script that completes commands and options in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual's pages
    #[command(hide = true)]
    Man {
        /// The folder to write them into
        #[arg(value_name = "DIR", value_parser = path())]
        folder: PathBuf,
    },
}

impl Command {
    /// Whether the command reads images or computes with libtorch, rather than answering from what is written down.
    pub fn computes(&self) -> bool {
        match self {
            Self::Plugins(command) => matches!(command, PluginsCommand::Check(_)),
            _ => !matches!(
                self,
                Self::Report(_) | Self::Runs(_) | Self::Config(_) | Self::Completions { .. } | Self::Man { .. }
            ),
        }
    }

    /// What is asked for of several processes.
    pub fn asked(&self) -> Asked {
        match self {
            Self::Train(arguments) => arguments.asked(),
            Self::Doctor(arguments) => {
                Asked { processes: arguments.processes.map(Processes::number), ..Asked::default() }
            }
            _ => Asked::default(),
        }
    }

    /// Whether a program reads the answer.
    pub fn answers_in_json(&self) -> bool {
        match self {
            Self::Evaluate(arguments) => arguments.json,
            Self::Doctor(arguments) => arguments.json,
            Self::Runs(arguments) => arguments.json,
            Self::Plugins(PluginsCommand::List { json } | PluginsCommand::Inspect { json, .. }) => *json,
            Self::Plugins(PluginsCommand::Check(arguments)) => arguments.json,
            Self::Data(DataCommand::Stats { json, .. }) => *json,
            _ => false,
        }
    }
}

/// `selfsame doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Measure the exchange between N processes on this machine, `auto` for one on each GPU; between those of other
    /// launchers without this flag
    #[arg(long, value_name = "N|auto", value_parser = processes())]
    pub processes: Option<Processes>,
}

/// `selfsame config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every value and where it came from
    Show(ConfigArgs),
    /// Explain one key, such as `train.batch_size`
    Explain {
        /// The key
        key: String,
    },
    /// Print the JSON schema of a run file
    Schema,
    /// Check a configuration without running it
    Check(ConfigArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_read_images_or_compute_are_prepared_for_it() {
        let computes = |words: &str| Cli::try_parse_from(words.split(' ')).unwrap().command.computes();
        assert!(computes("selfsame train") && computes("selfsame data stats") && computes("selfsame evaluate run"));
        assert!(computes("selfsame doctor"));
        assert!(!computes("selfsame config schema") && !computes("selfsame plugins list"));
    }
}
