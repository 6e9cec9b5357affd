//! From words on the command line to plugins and a resolved configuration.

use super::args::{Common, ConfigArgs, EncoderArgs};
use super::failure::Failure;
use super::own_config;
use super::shipped;
use crate::config::{self, Config, ConfigError, Origin, Recommended, Resolved, Sources};
use crate::evaluate::TrainedRun;
use crate::plugin::{PluginFailure, Registry, search};
use crate::train::initial_weights::INIT;
use selfsame_plugin_api::{OptionSpec, Services};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::path::Path;

/// The plugins of the search path, judged but not opened.
pub fn registry(common: &Common) -> Registry {
    Registry::scan(&search::directories(&common.plugins))
}

/// The encoder that a command is about, and the `--set` that are left to decide for its images: those of given weights are
/// part of their configuration already.
pub fn encoder(
    arguments: &EncoderArgs,
    registry: &Registry,
    services: &dyn Services,
) -> Result<(TrainedRun, Vec<String>), Failure> {
    match (&arguments.init, &arguments.run) {
        (Some(file), _) => {
            let from = ConfigArgs { files: arguments.files.clone(), sets: arguments.sets.clone() };
            let flags = [PathFlag { flag: "--init", key: INIT, path: file }];
            let resolved = configuration(&from, &[], &flags, registry)?;
            let given = TrainedRun::given(file, resolved.config.clone(), registry, services);
            Ok((given.map_err(|error| naming_path(&resolved, error.into()))?, Vec::new()))
        }
        (None, Some(_)) if !arguments.files.is_empty() => Err(Failure::usage(
            "`--config` goes with `--init`; a run has its own config.yaml, and `--set` changes single values",
        )),
        (None, Some(run)) => Ok((TrainedRun::open(run)?, arguments.sets.clone())),
        (None, None) => Err(Failure::usage("name a run's folder, or weights with `--init`")),
    }
}

/// An error about a path of the configuration says which key or flag set it.
pub fn naming_path(resolved: &Resolved, failure: Failure) -> Failure {
    match config::set_by(resolved, &failure.message) {
        // A line to be copied into a shell stays as it is.
        Some(by) => {
            let between = if failure.message.contains('\n') { "\n" } else { "; " };
            Failure { message: format!("{}{between}{by}", failure.message), ..failure }
        }
        None => failure,
    }
}

/// A flag that stands for a key whose value is a path.
pub struct PathFlag<'a> {
    /// As it is written, such as `--output-dir`.
    pub flag: &'static str,
    /// The dotted key.
    pub key: &'static str,
    /// Its value.
    pub path: &'a Path,
}

impl PathFlag<'_> {
    /// As `--set` takes it.
    fn as_set(&self) -> Result<String, Failure> {
        let Self { flag, key, path } = self;
        let text = path.to_str().ok_or_else(|| {
            Failure::usage(format!("{flag} {}: expected a name in UTF-8; choose another one", path.display()))
        })?;
        // JSON's text is YAML that reads back as exactly this.
        Ok(format!("{key}={}", serde_json::Value::from(text)))
    }
}

/// All layers, with what the data set and the encoder recommend. `flags` are the strongest.
pub fn configuration(
    arguments: &ConfigArgs,
    extra: &[String],
    flags: &[PathFlag],
    registry: &Registry,
) -> Result<Resolved, Failure> {
    let set = flags.iter().map(PathFlag::as_set).collect::<Result<Vec<_>, Failure>>()?;
    let mut resolved = resolve(arguments, &[extra, &set].concat(), registry, Absent::Refused)?;
    for PathFlag { flag, key, path } in flags {
        resolved.origins.insert((*key).to_owned(), Origin::Flag(format!("{flag} {}", path.display())));
    }
    Ok(resolved)
}

/// As [`configuration`], but where no plugin provides the data set or the encoder, a warning says so and the rest is
/// checked.
pub fn checked_configuration(arguments: &ConfigArgs, registry: &Registry) -> Result<Resolved, Failure> {
    resolve(arguments, &[], registry, Absent::Warned)
}

/// What happens when no plugin provides a name.
#[derive(Clone, Copy, PartialEq)]
enum Absent {
    Refused,
    Warned,
}

fn resolve(arguments: &ConfigArgs, extra: &[String], registry: &Registry, absent: Absent) -> Result<Resolved, Failure> {
    let mut sources = Sources {
        files: shipped::resolved(&arguments.files)?,
        sets: arguments.sets.iter().chain(extra).cloned().collect(),
        env: environment()?,
        ..Sources::default()
    };
    // Once without recommendations, to learn which data set and encoder there are to ask.
    let names = config::peek(&sources)?;
    let dataset = provided(registry.dataset_card(&names.dataset), absent)?;
    let encoder = provided(registry.encoder_card(&names.encoder), absent)?;
    sources.recommended.extend(
        dataset
            .iter()
            .map(|card| Recommended { origin: format!("data set {}", card.name), values: card.recommended.clone() }),
    );
    sources.recommended.extend(
        encoder
            .iter()
            .map(|card| Recommended { origin: format!("encoder {}", card.name), values: card.recommended.clone() }),
    );
    let mut resolved = config::load(&sources)?;
    own_config::settle(&mut resolved);
    resolved.ignored_keys.iter().for_each(|ignored| tracing::warn!("{ignored}"));

    let Config { dataset: first, encoder: architecture, linear_head, .. } = &resolved.config;
    if dataset.is_some() {
        registry.check_options(&first.name, &first.options)?;
    }
    let mut problems = Vec::new();
    let mut check = |section: &str, options: &Map<String, Value>, known: &[OptionSpec]| {
        let known: Vec<_> = known.iter().map(|option| option.name.as_str()).collect();
        problems.extend(config::unknown_options(&resolved, section, options, &known));
    };
    if let Some(card) = dataset {
        check("dataset.options", &first.options, &card.options);
    }
    if let Some(card) = encoder {
        check("encoder.options", &architecture.options, &card.options);
    }
    // Further data sets recommend nothing, but a plugin must provide them.
    for (place, set) in first.mix.iter().enumerate() {
        if let Some(card) = provided(registry.dataset_card(&set.name), absent)? {
            check(&format!("dataset.mix.{place}.options"), &set.options, &card.options);
        }
    }
    if let Some(name) = &linear_head.dataset.name
        && let Some(card) = provided(registry.dataset_card(name), absent)?
    {
        check("linear_head.dataset.options", &linear_head.dataset.options, &card.options);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(ConfigError { problems }.into()) }
}

/// The environment's variables; those that are not UTF-8 are none of ours, unless their name says so.
pub fn environment() -> Result<Vec<(String, String)>, Failure> {
    let readable = |(name, value): (OsString, OsString)| match (name.to_str(), value.to_str()) {
        (Some(name), Some(value)) => Some(Ok((name.to_owned(), value.to_owned()))),
        _ if name.to_string_lossy().starts_with("SELFSAME_") => Some(Err(Failure::usage(format!(
            "environment variable {} is not UTF-8; write it anew, or unset it",
            name.to_string_lossy()
        )))),
        _ => None,
    };
    std::env::vars_os().filter_map(readable).collect()
}

/// The card, or nothing where no plugin provides the name and a warning is enough.
fn provided<T>(card: Result<T, PluginFailure>, absent: Absent) -> Result<Option<T>, Failure> {
    match card {
        Ok(card) => Ok(Some(card)),
        Err(PluginFailure::Unknown(unknown)) if absent == Absent::Warned => {
            let message = unknown.to_string();
            tracing::warn!(
                "{}; checked without its recommendations and options",
                message.lines().next().unwrap_or_default()
            );
            Ok(None)
        }
        Err(failure) => Err(failure.into()),
    }
}
