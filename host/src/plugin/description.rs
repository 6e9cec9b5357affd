//! `NAME.dataset.yaml`: a data set without code. The file names a compiled data set, its reader, and what is fixed about it.

use super::{PluginFailure, digest};
use crate::config::{Document, Origin};
use crate::regular_file;
use schemars::JsonSchema;
use selfsame_plugin_api::{Card, DatasetRequest, Normalization, OptionSpec, PluginError, Result, Task};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// What the names of such files end with.
pub(super) const ENDING: &str = ".dataset.yaml";

/// Whether a file is one by its name.
pub(super) fn is_named_so(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(ENDING.as_bytes()))
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DescriptionFile {
    /// The name that users write in `dataset.name`.
    pub name: String,
    /// Its version, for people and for `run.json`.
    pub version: String,
    /// The data set of a plugin that reads the files, such as `ImageFolder`, `DicomFolder`, `Parquet`, `Idx` or `Npz`.
    pub reader: String,
    /// Folder with the data, relative to this file; without it, users set `dataset.dataset_dir`.
    #[schemars(length(min = 1))]
    pub folder: Option<PathBuf>,
    /// Options of the reader, which users cannot change; those that are left out they can.
    pub options: Map<String, Value>,
    /// One sentence for lists.
    pub summary: Option<String>,
    /// Licence of the data.
    pub licence: Option<String>,
    /// What to cite.
    pub citation: Option<String>,
    /// Names of the classes in label order, in place of those that the reader finds.
    pub classes: Vec<String>,
    /// What the labels mean; it is an error when the files say otherwise.
    pub task: Option<StatedTask>,
    /// Usual height and width in pixels; it is an error when the files say otherwise.
    pub size: Option<[f64; 2]>,
    /// Mean of each channel, of values scaled to 0–1.
    pub mean: Option<Vec<f64>>,
    /// Standard deviation of each channel.
    pub std: Option<Vec<f64>>,
    /// Values of a run file that suit these images, in place of those that the reader recommends.
    pub recommended: Map<String, Value>,
}

/// What the labels mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatedTask {
    /// No labels.
    None,
    /// Two classes, the second is the positive one.
    Binary,
    /// One of several classes for each image.
    Multiclass,
    /// Any number of classes for each image.
    Multilabel,
}

impl StatedTask {
    fn task(self) -> Task {
        match self {
            Self::None => Task::None,
            Self::Binary => Task::Binary,
            Self::Multiclass => Task::Multiclass,
            Self::Multilabel => Task::Multilabel,
        }
    }
}

/// A description that was read, and where.
#[derive(Debug)]
pub struct Description {
    document: Document<DescriptionFile>,
    path: PathBuf,
}

impl Description {
    /// Reads a file, and compares it with the digest beside it where there is one.
    ///
    /// # Errors
    /// What is wrong with it, with line and key.
    pub(super) fn read(path: &Path) -> std::result::Result<Self, String> {
        let text = regular_file::read_text(path).map_err(|error| format!("cannot be read: {error}"))?;
        digest::check(path)?;
        let name = Path::new(path.file_name().unwrap_or(path.as_os_str()));
        let document = Document::read(name, &text).map_err(|error| error.to_string())?;
        let description = Self { document, path: path.to_owned() };
        for (key, value) in [("name", &description.file().name), ("reader", &description.file().reader)] {
            if value.is_empty() {
                return Err(format!("the key `{key}` is missing"));
            }
        }
        let is_side = |side: &f64| *side >= 1.0 && side.fract() == 0.0 && *side <= f64::from(u32::MAX);
        if !description.file().size.iter().flatten().all(is_side) {
            return Err(format!("`size` ({}): expected two whole numbers from 1", description.place("size")));
        }
        match (&description.file().mean, &description.file().std) {
            (Some(_), None) | (None, Some(_)) => Err("`mean` and `std` go together".into()),
            _ => Ok(description),
        }
    }

    /// What the file says.
    pub fn file(&self) -> &DescriptionFile {
        &self.document.value
    }

    /// Where the file lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// File, line and column of a key.
    fn place(&self, key: &str) -> Origin {
        match self.document.place(key) {
            Origin::File { line, column, .. } => Origin::File { path: self.path.clone(), line, column },
            other => other,
        }
    }

    /// The height and width that the file states.
    fn size(&self) -> Option<(usize, usize)> {
        self.file().size.map(|[height, width]| (height as usize, width as usize))
    }

    /// The folder of the data from the root, where the file names one.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        let folder = self.file().folder.as_deref()?;
        let folder = crate::home::expanded(folder).unwrap_or_else(|_| folder.to_owned());
        Some(self.path.parent().unwrap_or(Path::new("")).join(folder))
    }

    /// Refuses options that the file decides.
    ///
    /// # Errors
    /// The option, and where it is decided.
    pub(super) fn check_options(&self, options: &Map<String, Value>) -> Result<()> {
        match options.keys().find(|name| self.file().options.contains_key(*name)) {
            Some(name) => Err(PluginError::configuration(format!(
                "`dataset.options.{name}` is decided by {}; leave it out, or use the data set `{}` itself",
                self.place(&format!("options.{name}")),
                self.file().reader
            ))),
            None => Ok(()),
        }
    }

    /// The file's text with its folder from the root, so that a copy elsewhere means the same.
    ///
    /// # Errors
    /// A folder that is written so that no line can be put in its place.
    pub(super) fn relocatable(&self) -> std::result::Result<String, PluginFailure> {
        let unreadable = |error: std::io::Error| self.unusable(format!("cannot be read: {error}"));
        let text = regular_file::read_text(&self.path).map_err(unreadable)?;
        let Some(folder) =
            self.folder().filter(|_| self.file().folder.as_ref().is_some_and(|folder| folder.is_relative()))
        else {
            return Ok(text);
        };
        let expected = DescriptionFile { folder: Some(folder.clone()), ..self.file().clone() };
        let line = match self.place("folder") {
            Origin::File { line, .. } => line,
            _ => 0,
        };
        let of_root = format!("folder: {}", Value::from(folder.to_string_lossy()));
        let lines = (1..).zip(text.lines()).map(|(at, own)| if at == line { &of_root } else { own });
        let moved: String = lines.flat_map(|line| [line, "\n"]).collect();
        match Document::<DescriptionFile>::read(&self.path, &moved) {
            Ok(read) if read.value == expected => Ok(moved),
            _ => Err(self.unusable(
                "its `folder` cannot be written from the root; write it so yourself, on a line of its own".into(),
            )),
        }
    }

    /// What the reader is asked for.
    ///
    /// # Errors
    /// A folder or an option that the file decides.
    pub(super) fn request(&self, request: &DatasetRequest) -> Result<DatasetRequest> {
        let mut options = self.file().options.clone();
        if let Value::Object(open) = &request.options {
            self.check_options(open)?;
            options.extend(open.clone());
        }
        let dataset_dir = match (self.folder(), &request.dataset_dir) {
            (Some(_), Some(_)) => {
                let place = self.place("folder");
                let message = format!("`dataset.dataset_dir` is decided by {place} (`folder`); leave it out");
                return Err(PluginError::configuration(message));
            }
            (Some(folder), None) => Some(folder),
            (None, given) => given.clone(),
        };
        Ok(DatasetRequest {
            name: self.file().reader.clone(),
            dataset_dir,
            cache_dir: request.cache_dir.clone(),
            options: Value::Object(options),
        })
    }

    /// The card before anything is read.
    pub(super) fn card(&self, reader: Card) -> Card {
        let file = self.file();
        let mut card = self.described(reader);
        let open = |option: &OptionSpec| !file.options.contains_key(&option.name);
        card.options.retain(open);
        let count = file.classes.len();
        let usual = if count == 2 { Task::Binary } else { Task::Multiclass };
        let task = file.task.map_or(usual, StatedTask::task);
        // What does not go together is told once the files are read.
        let goes_together = match task {
            Task::None => count == 0,
            Task::Binary => count == 2,
            Task::Multiclass => count >= 2,
            Task::Multilabel => count >= 1,
        };
        if goes_together {
            (card.classes, card.task) = (file.classes.clone(), task);
        }
        card.nominal_size = self.size().unwrap_or(card.nominal_size);
        card
    }

    /// The card of a prepared data set.
    ///
    /// # Errors
    /// Files that are not as this one says, with the line.
    pub(super) fn card_found(&self, reader: Card) -> Result<Card> {
        let file = self.file();
        let (found, size) = (reader.classes.len(), reader.nominal_size);
        let mut card = self.card(reader.clone());
        (card.classes, card.task, card.nominal_size) = (reader.classes, reader.task, size);
        let stated = file.classes.len();
        let differs = |key: &str, said: String, is: String| {
            Err(PluginError::data(format!("{}: `{key}` is {said}, but the files have {is}", self.place(key))))
        };
        if stated > 0 {
            let more_is_fine = matches!(card.task, Task::Binary | Task::Multiclass);
            if stated < found || (stated > found && !more_is_fine) {
                return differs("classes", format!("a list of {stated}"), format!("{found}"));
            }
            card.classes.clone_from(&file.classes);
            if more_is_fine {
                card.task = if stated == 2 { Task::Binary } else { Task::Multiclass };
            }
        }
        match file.task.map(StatedTask::task) {
            Some(task) if task != card.task => {
                return differs("task", format!("{task:?}").to_lowercase(), format!("{:?}", card.task).to_lowercase());
            }
            _ => {}
        }
        let shown = |(height, width): (usize, usize)| format!("{height} × {width}");
        match self.size() {
            Some(stated) if stated != size => differs("size", shown(stated), shown(size)),
            _ => Ok(card),
        }
    }

    /// The texts and numbers that hold whatever the files say.
    fn described(&self, reader: Card) -> Card {
        let file = self.file();
        let mut card = reader;
        card.name.clone_from(&file.name);
        let texts = [
            (&mut card.summary, &file.summary),
            (&mut card.licence, &file.licence),
            (&mut card.citation, &file.citation),
        ];
        for (text, stated) in texts {
            if let Some(stated) = stated {
                text.clone_from(stated);
            }
        }
        if let (Some(mean), Some(std)) = (&file.mean, &file.std) {
            card.normalization = Some(Normalization { mean: mean.clone(), std: std.clone() });
        }
        if !file.recommended.is_empty() {
            card.recommended = Value::Object(file.recommended.clone());
        }
        card
    }

    /// An error about this data set, with its name and its file.
    pub(super) fn named(&self, error: PluginError) -> PluginError {
        let message = format!("data set `{}` ({}): {}", self.file().name, self.path.display(), error.message);
        PluginError { message, ..error }
    }

    /// A file that cannot be used.
    pub(super) fn unusable(&self, reason: String) -> PluginFailure {
        PluginFailure::Unusable { path: self.path.clone(), reason }
    }
}
