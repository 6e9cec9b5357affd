//! The words of the commands that are about a trained encoder.

use super::values::{SplitChoice, path, positive_number, scored_split, split_choice};
use crate::evaluate::Protocol;
use clap::{Args, ValueEnum};
use selfsame_plugin_api::Split;
use std::path::PathBuf;

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
