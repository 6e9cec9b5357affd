//! The words of the command line.

use super::plugin_args::PluginsCommand;
pub use super::values::{Processes, Resume, SplitChoice};
use super::values::{
    ProgressTo, path, positive, positive_number, processes, progress, resume, scored_split, split_choice,
};
use crate::device;
use crate::evaluate::Protocol;
use crate::output::logging::Color;
use crate::world::Asked;
use clap::{Args, Parser, Subcommand, ValueEnum};
use selfsame_plugin_api::Split;
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
}

/// `selfsame init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder with the images: DICOM, PNG, JPEG, TIFF, WebP or BMP, with or without labels
    #[arg(value_name = "FOLDER", value_parser = path())]
    pub folder: PathBuf,
    /// The run file to write [default: the folder's name with .yaml, here]
    #[arg(long, short, value_name = "FILE.yaml", value_parser = path())]
    pub out: Option<PathBuf>,
    /// Replace the file where it exists
    #[arg(long)]
    pub force: bool,
    /// How long the run may take; the number of epochs follows from it
    #[arg(long, value_name = "MINUTES", default_value = "6", value_parser = positive(60 * 24 * 30))]
    pub minutes: usize,
}

/// `selfsame train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The run's folder; wins over `train.output_dir`
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub output_dir: Option<PathBuf>,
    /// Continue from the newest checkpoint in the run's folder, or start the run where there is none. `--resume RUN`
    /// continues the run in that folder by its own config.yaml, `--resume=must` ends with exit code 2 where there is
    /// nothing to continue
    #[arg(long, value_name = "RUN|must", num_args = 0..=1, default_missing_value = "", value_parser = resume())]
    pub resume: Option<Resume>,
    /// Do everything up to the first steps, say how long the run would take and how much memory, and write nothing
    #[arg(long, conflicts_with_all = ["resume", "processes"])]
    pub dry_run: bool,
    /// Train N steps, say where their time goes (data, views, forward, loss, backward, optimiser, head) and how near they come
    /// to what the device can do, and write nothing
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "processes", "dry_run"], value_parser = positive(100_000))]
    pub profile: Option<usize>,
    /// Print the profile as JSON
    #[arg(long, requires = "profile")]
    pub json: bool,
    /// How it comes along: bars and lines for people, or a line of JSON for each event, on standard error in place of all else
    /// or in a file (a pipe, /dev/fd/3)
    #[arg(long, value_name = "bars|json|json:FILE", default_value = "bars", value_parser = progress())]
    pub progress: ProgressTo,
    /// Train with N processes on this machine, `auto` for one on each GPU; they compute what one computes. Of other
    /// launchers (torchrun, srun, mpirun) the variables are read. 1 trains alone whatever they say
    #[arg(long, value_name = "N|auto", value_parser = processes())]
    pub processes: Option<Processes>,
    /// Number of machines that each run this command with `--processes`
    #[arg(long, value_name = "N", requires = "processes", requires = "node", requires = "master", value_parser = positive(65536))]
    pub nodes: Option<usize>,
    /// The number of this machine among them, from 0
    #[arg(long, value_name = "N", requires = "nodes")]
    pub node: Option<usize>,
    /// Where machine 0 is reached by the others, at a free port
    #[arg(long, value_name = "HOST:PORT", requires = "nodes")]
    pub master: Option<String>,
}

impl TrainArgs {
    /// What is asked for of several processes.
    pub fn asked(&self) -> Asked {
        let processes = self.processes.map(|processes| match processes {
            Processes::Number(number) => number,
            Processes::Auto => device::gpu_count().max(1),
        });
        Asked { processes, nodes: self.nodes.zip(self.node), master: self.master.clone() }
    }
}

/// `selfsame preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The PNG file to write
    #[arg(long, short, value_name = "FILE", value_parser = path())]
    pub out: PathBuf,
    /// Replace the file where it exists
    #[arg(long)]
    pub force: bool,
    /// Images shown, drawn by `train.seed`
    #[arg(long, value_name = "N", default_value = "8", value_parser = positive(64))]
    pub samples: usize,
    /// Random views of each image: all views of the first epoch, then of the second, and so on [default: those of whole
    /// epochs, at least 4]
    #[arg(long, value_name = "N", value_parser = positive(64))]
    pub views: Option<usize>,
    /// The split that the images are from
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    pub split: SplitName,
    /// The channel shown, or the three that are shown as red, green and blue, numbered from 1, as 4,3,2 [default: grey and
    /// colours as they are, the mean of others]
    #[arg(long, value_name = "C[,C,C]", value_delimiter = ',', value_parser = positive(4096))]
    pub bands: Vec<usize>,
}

/// The splits of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// Samples to learn from.
    Train,
    /// The publisher's own validation samples.
    Val,
    /// Samples scored at the end.
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Split::Train,
            SplitName::Val => Split::Val,
            SplitName::Test => Split::Test,
        }
    }
}

/// `selfsame report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The runs' folders
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// The page to write, for several runs; of one [default: its report.html]
    #[arg(long, short, value_name = "FILE", value_parser = path())]
    pub out: Option<PathBuf>,
    /// Replace that file where it exists
    #[arg(long, requires = "out")]
    pub force: bool,
}

/// `selfsame runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// The folder that the runs are below
    #[arg(value_name = "DIR", default_value = ".", value_parser = path())]
    pub folder: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// An encoder: a run's, or given weights.
#[derive(Debug, Args)]
pub struct EncoderArgs {
    /// The run's folder, or one of its checkpoints (`RUN/checkpoints/step-NNNNNNNN`)
    #[arg(value_name = "RUN", required_unless_present = "init")]
    pub run: Option<PathBuf>,
    /// Weights in place of a run, in a safetensors file; `--config` says of which encoder, for which images
    #[arg(long, value_name = "FILE", requires = "files", conflicts_with = "run", value_parser = path())]
    pub init: Option<PathBuf>,
    /// A run file, with `--init`; may be given several times, later ones win
    #[arg(long = "config", short, value_name = "FILE", requires = "init", value_parser = path())]
    pub files: Vec<PathBuf>,
    /// One value in place of the run's or the run file's, as `train.device=cpu`; may be given several times
    #[arg(long = "set", short, value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// An encoder and the data set to look at with it.
#[derive(Debug, Args)]
pub struct TrainedArgs {
    /// The encoder.
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// Another data set than the run's; its options go to `--set dataset.options.…`
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// The folder of that data set
    #[arg(long, value_name = "DIR", requires = "dataset", value_parser = path())]
    pub dataset_dir: Option<PathBuf>,
}

/// `selfsame evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// What is evaluated, and on what.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// How; may be given several times [default: knn and linear]
    #[arg(long = "protocol", short, value_name = "PROTOCOL")]
    pub protocols: Vec<Protocol>,
    /// The split to score [default: test, or val where there is no test split]
    #[arg(long, value_name = "SPLIT", value_parser = scored_split())]
    pub split: Option<Split>,
    /// Score the encoder as it was before training: the baseline
    #[arg(long)]
    pub untrained: bool,
    /// Keep what linear, linear-aug or finetune has learned (of the first seed), for `selfsame predict`
    #[arg(long, conflicts_with = "untrained")]
    pub keep: bool,
    /// Seeds of each protocol but kNN, which draws nothing [default: 1 for linear, 3 for linear-aug and finetune]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub seeds: Option<u16>,
    /// Neighbours of kNN; same as `--set knn.k=N`
    #[arg(long, value_name = "N")]
    pub k: Option<usize>,
    /// Temperature of kNN's votes; same as `--set knn.temperature=T`
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Epochs of linear-aug and finetune [default: 100 and 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// Images per step of linear-aug and finetune; fewer need less memory [default: 256 and 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub batch_size: Option<u32>,
    /// Peak learning rate of finetune [default: 0.0001]
    #[arg(long, value_name = "LR", value_parser = positive_number)]
    pub lr: Option<f64>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `selfsame embed`.
#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// What embeds, and what is embedded.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// The split to embed [default with --on: all]
    #[arg(long, value_name = "SPLIT", required_unless_present = "on", value_parser = split_choice())]
    pub split: Option<SplitChoice>,
    /// A folder of new images, read as `predict` reads them
    #[arg(long, value_name = "DIR", conflicts_with = "dataset_dir", value_parser = path())]
    pub on: Option<PathBuf>,
    /// Embed with the encoder as it was before training: the baseline
    #[arg(long)]
    pub untrained: bool,
    /// Write what the encoder sees, in place of embeddings: each image prepared, float32 [C, H, W] in a row
    #[arg(long)]
    pub inputs: bool,
    /// The file to write: .npy (with a .csv beside it), .parquet or .safetensors
    #[arg(long, short, value_name = "FILE", value_parser = path())]
    pub out: PathBuf,
    /// Replace the file where it exists
    #[arg(long)]
    pub force: bool,
}

/// `selfsame predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// The run's folder, or one of its checkpoints, of which `selfsame evaluate --keep` has kept a classifier
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The folder of the new images
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub on: PathBuf,
    /// The data set plugin that reads them [default: the run's own, with its options]
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// The classifier [default: the only one that was kept]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub classifier: Option<PathBuf>,
    /// One value in place of the run's, as `dataset.options.KEY=VALUE`; may be given several times
    #[arg(long = "set", short, value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// The file to write, .csv or .parquet [default: CSV on standard output]
    #[arg(long, short, value_name = "FILE", value_parser = path())]
    pub out: Option<PathBuf>,
    /// Replace the file where it exists
    #[arg(long)]
    pub force: bool,
}

/// `selfsame export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// What is exported.
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// The kind of file, or of folder for timm [default: by its ending, .safetensors or .pt]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ExportFormat>,
    /// The file to write, or the folder for timm
    #[arg(long, short, value_name = "FILE", value_parser = path())]
    pub out: PathBuf,
    /// Replace the file where it exists
    #[arg(long)]
    pub force: bool,
}

/// Kinds of exported files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// The encoder's tensors under torchvision's or timm's names.
    Safetensors,
    /// Network and weights in one file, for libtorch and torch.jit.load.
    Torchscript,
    /// A folder that `timm.create_model("local-dir:…")` loads: weights, configuration and a model card.
    Timm,
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
    /// Download and verify the files of all data sets of the configuration
    Fetch(ConfigArgs),
    /// Read every sample of all data sets, and list those that cannot be read and why (exit code 3)
    Verify(ConfigArgs),
    /// Describe all data sets: labels, sizes, values, duplicates, and what its plugin tells about samples
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
