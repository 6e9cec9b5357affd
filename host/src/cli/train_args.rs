//! The words of `selfsame init` and `selfsame train`.

use super::args::ConfigArgs;
use super::values::{Processes, ProgressTo, Resume, path, positive, processes, progress, resume};
use crate::world::Asked;
use clap::Args;
use std::path::PathBuf;

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
        let processes = self.processes.map(Processes::number);
        Asked { processes, nodes: self.nodes.zip(self.node), master: self.master.clone() }
    }
}
