//! The words of the commands that are about a data set.

use super::args::ConfigArgs;
use super::values::{path, positive};
use clap::{Args, Subcommand, ValueEnum};
use selfsame_plugin_api::Split;
use std::path::PathBuf;

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
