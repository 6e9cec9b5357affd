//! The words of `selfsame plugins`.

use super::values::path;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `selfsame plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// List plugin files, what they provide, and why one cannot be used
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Open one plugin and show the cards of what it provides, options included
    Inspect {
        /// The name of a data set, an encoder or a plugin, or a plugin file
        #[arg(value_name = "NAME|FILE")]
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that a plugin file keeps the contract of data sets and encoders, a verdict a line (exit code 4 where one fails)
    Check(CheckArgs),
    /// Write a new plugin's crate, which compiles as it is, into a folder of its name
    New {
        /// The name of crate, folder, and data set or encoder
        name: String,
        /// A data set of computed images [default]
        #[arg(long)]
        dataset: bool,
        /// A small convolutional encoder
        #[arg(long, conflicts_with = "dataset")]
        encoder: bool,
        /// The folder of `selfsame-plugin-api` to build against [default: the released version]
        #[arg(long, value_name = "PATH", value_parser = path())]
        api: Option<PathBuf>,
        /// The repository to take `selfsame-plugin-api` from
        #[arg(long, value_name = "URL", conflicts_with = "api", value_parser = git_address)]
        git: Option<String>,
        /// The revision of that repository [default: its newest]
        #[arg(long, value_name = "REV", requires = "git", value_parser = git_address)]
        rev: Option<String>,
    },
    /// Remove an installed plugin
    Remove {
        /// The name of a plugin, or of a data set or an encoder that it provides
        name: String,
    },
    /// Pack a plugin file (`*.so`, `*.dataset.yaml`) as a Python wheel, which pip installs where `selfsame` finds it
    #[command(disable_version_flag = true)]
    Pack {
        /// The plugin file
        #[arg(value_parser = path())]
        file: PathBuf,
        /// The folder to write the wheel into
        #[arg(long, short, value_name = "DIR", default_value = ".", value_parser = path())]
        out: PathBuf,
        /// The package's version [default: the plugin's]
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
        /// Replace a wheel of the same name
        #[arg(long)]
        force: bool,
    },
    /// Open one plugin file (`*.so`, `*.dataset.yaml`), read its cards, and copy it with its digest into your data folder, where
    /// every run finds it
    Install {
        /// The plugin file
        file: PathBuf,
        /// Replace a plugin of the same file name
        #[arg(long)]
        force: bool,
    },
}

/// `selfsame plugins check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The name of a data set, an encoder or a plugin, or a plugin file
    #[arg(value_name = "NAME|FILE")]
    pub file: PathBuf,
    /// Only the data set or the encoder of this name; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// `dataset.dataset_dir=DIR`, or an option, as `dataset.options.train_size=64`; may be given several times
    #[arg(long = "set", short, value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// How long one call into the plugin may say nothing, after which its process is ended and the check has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub call_limit: u64,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// This process checks what comes after so many data sets and encoders, and another one watches it
    #[arg(long, value_name = "N", hide = true)]
    pub watched_after: Option<usize>,
}

/// Written into a TOML file as it is.
fn git_address(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic() && !"\"\\".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("expected an address of letters, digits and signs".into())
    }
}
