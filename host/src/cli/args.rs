//! The words of the command line.

use crate::output::logging::Color;
use clap::{Args, Parser, Subcommand, ValueEnum};
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
    #[arg(long = "plugins", value_name = "DIR", global = true)]
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
    /// A run file; may be given several times, later ones win
    #[arg(long = "config", short, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// One value, as `train.batch_size=64`; may be given several times, wins over files and environment
    #[arg(long = "set", short, value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train an encoder
    Train(TrainArgs),
    /// Write a trained encoder as one file
    Export(ExportArgs),
    /// Print a run's results and write its report.html
    Report(RunArgs),
    /// Show the plugins and what they provide
    #[command(subcommand)]
    Plugins(PluginsCommand),
    /// Show, explain and check configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Get a data set ready, check and describe it
    #[command(subcommand)]
    Data(DataCommand),
    /// Show what this machine offers: libtorch, devices, plugins
    Doctor,
}

/// `selfsame train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The run's folder; wins over `train.output_dir`
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Continue from the newest checkpoint in the run's folder
    #[arg(long)]
    pub resume: bool,
}

/// A run to look at.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The run's folder
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

/// `selfsame export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run's folder
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The kind of file
    #[arg(long, value_name = "FORMAT", default_value = "safetensors")]
    pub format: ExportFormat,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
}

/// Kinds of exported files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// The encoder's tensors under torchvision's names.
    Safetensors,
}

/// `selfsame plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// List plugin files, what they provide, and why one cannot be used
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Open one plugin file and show its cards
    Inspect {
        /// The plugin file
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
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

/// `selfsame data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download and verify the files of `dataset`
    Fetch(ConfigArgs),
    /// Read every sample of `dataset`, and list those that cannot be read and why (exit code 3)
    Verify(ConfigArgs),
    /// Describe `dataset`: labels, sizes, values, duplicates, and what its plugin tells about samples
    Stats {
        /// Where the configuration comes from.
        #[command(flatten)]
        config: ConfigArgs,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show or empty the packed cache of decoded images
    #[command(subcommand)]
    Cache(CacheCommand),
}

/// `selfsame data cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// List what is kept, for which data sets, and how large it is
    List(ConfigArgs),
    /// Remove all that no run is writing
    Clear(ConfigArgs),
}
