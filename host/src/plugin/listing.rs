//! What `selfsame plugins list` and `selfsame plugins inspect` print.

use super::Conflict;
use super::{PluginFailure, Provided, Registry, ScannedFile, SearchDir};
use crate::storage::sha256_of_file;
use comfy_table::{ContentArrangement, Table, presets};
use selfsame_encoder_api::EncoderCard;
use selfsame_plugin_api::{Card, Manifest, OptionSpec, PluginError};
use serde::Serialize;
use serde_json::{Value, json};
use std::{fmt::Write, path::Path};

/// A table for each folder of the search path that has plugin files, one a row, with the reason where a file cannot be used;
/// as wide as the terminal, where there is one.
pub fn table(registry: &Registry) -> String {
    let folders = registry.folders().map(|(dir, files)| format!("{dir}\n{}", folder_table(registry, dir, &files)));
    let tables: Vec<String> = folders.collect();
    if tables.is_empty() { "no plugins are found".into() } else { tables.join("\n\n") }
}

fn folder_table(registry: &Registry, dir: &SearchDir, files: &[&ScannedFile]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED.with_rounded_corners());
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["file", "plugin", "data sets", "encoders", "status"]);
    let folder = dir.path.canonicalize().unwrap_or_else(|_| dir.path.clone());
    for file in files {
        // A link's file may lie elsewhere.
        let path = file.path.strip_prefix(&folder).unwrap_or(&file.path).display().to_string();
        match &file.provided {
            Ok(provided) => {
                let (datasets, encoders) = (provided.datasets(), provided.encoders());
                let remarks: Vec<_> = remarks(registry, file);
                let status =
                    if remarks.is_empty() { "ok".to_owned() } else { format!("ok, but {}", remarks.join("; ")) };
                table.add_row([path, provided.label(), datasets.join(", "), encoders.join(", "), status])
            }
            Err(reason) => table.add_row([path, String::new(), String::new(), String::new(), reason.clone()]),
        };
    }
    table
}

/// What is to be known of a usable file.
fn remarks(registry: &Registry, file: &ScannedFile) -> Vec<String> {
    let conflict = registry.conflict(file).map(|conflict| match conflict {
        Conflict::Overruled { name, by } => format!("`{name}` is that of {}", by.display()),
        Conflict::Ambiguous { name, with } => {
            format!("`{name}` cannot be used: {} provides it too; remove one of the files", with.display())
        }
    });
    conflict.into_iter().chain(file.others.clone()).collect()
}

/// The same as an array of `{path, origin, ok, reason, remarks, manifest}`; `origin` says why the file's folder is searched.
pub fn json(registry: &Registry) -> Value {
    let file = |(dir, file): (&SearchDir, &ScannedFile)| {
        json!({
            "path": file.path,
            "origin": dir.origin,
            "ok": file.provided.is_ok(),
            "reason": file.provided.as_ref().err(),
            "remarks": remarks(registry, file),
            "manifest": file.provided.as_ref().ok().map(Provided::json),
        })
    };
    registry.folders().flat_map(|(dir, files)| files.into_iter().map(move |file| (dir, file))).map(file).collect()
}

/// A plugin with the cards of all that it provides.
#[derive(Debug)]
pub struct Inspection {
    path: std::path::PathBuf,
    pub(super) sha256: String,
    pub(super) provided: Provided,
    datasets: Vec<Result<Card, PluginError>>,
    encoders: Vec<Result<EncoderCard, PluginError>>,
}

/// Opens a plugin and reads its cards, also those that break their contract. A data set without code has its reader in `dirs`.
///
/// # Errors
/// The file cannot be used.
pub fn inspect(path: &Path, dirs: &[SearchDir]) -> Result<Inspection, PluginFailure> {
    let (registry, provided) = Registry::of_file(path, dirs)?;
    let path = registry.files()[0].path.clone();
    let datasets = own_errors(provided.datasets().iter().map(|name| registry.dataset_card(name)))?;
    let encoders = own_errors(provided.encoders().iter().map(|name| registry.encoder_card(name)))?;
    let (sha256, _) = sha256_of_file(&path).map_err(|error| PluginFailure::Unusable {
        path: path.clone(),
        reason: format!("cannot be read: {}", error.source),
    })?;
    Ok(Inspection { path, sha256, provided, datasets, encoders })
}

/// Cards, and what is wrong with them; a plugin that cannot be opened has none.
fn own_errors<T>(
    cards: impl Iterator<Item = Result<T, PluginFailure>>,
) -> Result<Vec<Result<T, PluginError>>, PluginFailure> {
    let own = |card| match card {
        Ok(card) => Ok(Ok(card)),
        Err(PluginFailure::Failed(error)) => Ok(Err(error)),
        Err(failure) => Err(failure),
    };
    cards.map(own).collect()
}

impl Inspection {
    /// Whether all cards keep their contract.
    ///
    /// # Errors
    /// Those that do not, and why.
    pub fn judge(&self) -> Result<(), PluginFailure> {
        let reasons: Vec<_> = self.errors().map(|error| error.message.as_str()).collect();
        if reasons.is_empty() {
            return Ok(());
        }
        let reason = format!("cards that cannot be used; put them right in the plugin:\n  {}", reasons.join("\n  "));
        Err(PluginFailure::Unusable { path: self.path.clone(), reason })
    }

    /// Summary and licence of each card that keeps its contract, data sets first.
    pub(super) fn summaries(&self) -> impl Iterator<Item = (&str, &str)> {
        let datasets = self.datasets.iter().flatten().map(|card| (card.summary.as_str(), card.licence.as_str()));
        let encoders = self.encoders.iter().flatten().map(|card| (card.summary.as_str(), card.licence.as_str()));
        datasets.chain(encoders)
    }

    fn errors(&self) -> impl Iterator<Item = &PluginError> {
        let datasets = self.datasets.iter().filter_map(|card| card.as_ref().err());
        datasets.chain(self.encoders.iter().filter_map(|card| card.as_ref().err()))
    }

    /// `{path, sha256, manifest, datasets, encoders}`; the last two are lists of cards, or `{error}`.
    pub fn json(&self) -> Value {
        json!({
            "path": self.path,
            "sha256": self.sha256,
            "manifest": self.provided.json(),
            "datasets": cards_json(&self.datasets),
            "encoders": cards_json(&self.encoders),
        })
    }

    /// For people; without the cards that break their contract.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}", self.provided.label())?;
        writeln!(text, "  file      {}", self.path.display())?;
        writeln!(text, "  sha256    {}", self.sha256)?;
        match &self.provided {
            Provided::Library(manifest) => {
                let Manifest { abi, layout, rustc, target, libtorch, .. } = &**manifest;
                writeln!(text, "  abi       {abi}, layout {layout}")?;
                writeln!(text, "  built by  {rustc} for {target}")?;
                writeln!(text, "  libtorch  {}", libtorch.as_deref().unwrap_or("none"))?;
            }
            Provided::Description(description) => {
                let file = description.file();
                writeln!(text, "  reader    {}", file.reader)?;
                if let Some(folder) = description.folder() {
                    writeln!(text, "  folder    {}", folder.display())?;
                }
                for (name, value) in &file.options {
                    writeln!(text, "  decides   {name} = {value}")?;
                }
            }
        }
        for card in &self.datasets {
            let Ok(card) = card else { continue };
            writeln!(text, "\ndata set {}\n  {}", card.name, card.summary)?;
            let (height, width) = card.nominal_size;
            let values = if card.bit_depth == 32 { "float32".to_owned() } else { format!("{} bits", card.bit_depth) };
            writeln!(text, "  images    {} × {height} × {width}, {values}", card.channels)?;
            writeln!(
                text,
                "  task      {}, {} classes",
                json!(card.task).as_str().unwrap_or_default(),
                card.classes.len()
            )?;
            let splits: Vec<_> = card.splits.iter().map(|split| split.name()).collect();
            writeln!(text, "  splits    {}", splits.join(", "))?;
            writeln!(text, "  licence   {}", card.licence)?;
            writeln!(text, "  citation  {}", card.citation)?;
            write_options(text, &card.options)?;
            write_recommended(text, &card.recommended)?;
        }
        for card in &self.encoders {
            let Ok(card) = card else { continue };
            writeln!(text, "\nencoder {}\n  {}", card.name, card.summary)?;
            writeln!(text, "  licence   {}", card.licence)?;
            writeln!(text, "  citation  {}", card.citation)?;
            write_options(text, &card.options)?;
            write_recommended(text, &card.recommended)?;
        }
        Ok(())
    }
}

fn cards_json<T: Serialize>(cards: &[Result<T, PluginError>]) -> Value {
    cards
        .iter()
        .map(|card| card.as_ref().map_or_else(|error| json!({"error": error.message}), |card| json!(card)))
        .collect()
}

/// The keys below `values` that a card recommends, each with its value.
fn write_recommended(text: &mut String, values: &Value) -> std::fmt::Result {
    fn write(text: &mut String, path: &str, value: &Value) -> std::fmt::Result {
        match value {
            Value::Object(keys) => keys.iter().try_for_each(|(key, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                write(text, &format!("{path}{dot}{key}"), value)
            }),
            Value::Null => Ok(()),
            value => writeln!(text, "  recommends {path} = {value}"),
        }
    }
    write(text, "", values)
}

fn write_options(text: &mut String, options: &[OptionSpec]) -> std::fmt::Result {
    options.iter().try_for_each(|option| writeln!(text, "  option    {}: {}", option.name, option.help))
}
