//! The words of the commands that are about runs.

use super::values::path;
use clap::Args;
use std::path::PathBuf;

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
