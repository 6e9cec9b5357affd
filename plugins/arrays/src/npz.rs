//! npz files: one for each split, or one for all.

use crate::array;
use crate::dataset::Source;
use crate::names::Names;
use crate::part::{Labels, Part};
use schemars::JsonSchema;
use selfsame_plugin_api::numpy::{self, Header};
use selfsame_plugin_api::{PluginError, Result, Split, files};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// `dataset.options`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// File in dataset_dir, in which {split} may stand for the split, or a file each under train, val and test; without
    /// {split}, one file holds all splits.
    pub file: Names,
    /// The array of images, [N, H, W] or [N, H, W, C], of uint8, uint16, or float16 or float32 from 0 to 1; without it, images, or
    /// {split}_images in a file that holds all splits.
    pub images: Option<Names>,
    /// The array of labels, [N] class numbers or [N, classes] of 0 and 1; without it, labels or {split}_labels where there
    /// is one.
    pub labels: Option<Names>,
    /// The array of groups (patients), [N] texts or numbers; without it, groups or {split}_groups where there is one.
    pub groups: Option<Names>,
    /// The array of names, [N] texts or numbers; without it, ids or {split}_ids where there is one.
    pub ids: Option<Names>,
    /// Whether channels stand last or first.
    pub layout: Layout,
    /// Names of the classes in label order; without it, their numbers.
    pub classes: Vec<String>,
}

/// Where an image's channels stand in its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `[N, H, W, C]`.
    ChannelsLast,
    /// `[N, C, H, W]`.
    ChannelsFirst,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file: Names::All("{split}.npz".into()),
            images: None,
            labels: None,
            groups: None,
            ids: None,
            layout: Layout::ChannelsLast,
            classes: Vec::new(),
        }
    }
}

/// Reads npz files.
pub struct Npz(pub Options);

impl Npz {
    /// The file of a split.
    fn file(&self, root: &Path, split: Split) -> Option<PathBuf> {
        self.0.file.of(split).map(|name| root.join(name))
    }

    /// The name of an array, and whether the user wrote it.
    fn array(&self, given: &Option<Names>, usual: &str, split: Split) -> Option<(String, bool)> {
        match given {
            Some(names) => names.of(split).map(|name| (name, true)),
            None => match &self.0.file {
                Names::All(file) if !file.contains("{split}") => Some((format!("{}_{usual}", split.name()), false)),
                _ => Some((usual.to_owned(), false)),
            },
        }
    }

    fn optional(
        &self,
        archive: &mut Archive,
        given: &Option<Names>,
        usual: &str,
        split: Split,
    ) -> Result<Option<(Header, Vec<u8>)>> {
        match self.array(given, usual, split) {
            Some((name, is_asked)) if is_asked || archive.has(&name) => archive.read(&name).map(Some),
            _ => Ok(None),
        }
    }
}

impl Source for Npz {
    fn part(&self, root: &Path, split: Split) -> Result<Option<Part>> {
        let Some(file) = self.file(root, split) else { return Ok(None) };
        let Some((name, _)) = self.array(&self.0.images, "images", split) else { return Ok(None) };
        let is_asked = split == Split::Train || self.0.file.is_asked(split);
        if !file.exists() && !is_asked {
            return Ok(None);
        }
        let mut archive = Archive::open(&file)?;
        if !archive.has(&name) && split != Split::Train {
            return Ok(None);
        }
        let images = archive.header(&name)?;
        let wrong = |what: &str, message: String| PluginError::data(format!("{}: `{what}` {message}", file.display()));
        let about = |error: String| wrong(&name, error);
        let mut part = Part::of(images, self.0.layout == Layout::ChannelsLast).map_err(about)?;
        if let Some((header, bytes)) = self.optional(&mut archive, &self.0.labels, "labels", split)? {
            part.labels = Some(Labels::of(&header, &bytes).map_err(|error| wrong("labels", error))?);
        }
        for (given, usual, of) in [(&self.0.groups, "groups", &mut part.groups), (&self.0.ids, "ids", &mut part.ids)] {
            if let Some((header, bytes)) = self.optional(&mut archive, given, usual, split)? {
                *of = Some(array::texts(&header, &bytes).map_err(|error| wrong(usual, error))?);
            }
        }
        part.check().map_err(|error| PluginError::data(format!("{}: {error}", file.display())))?;
        Ok(Some(part))
    }

    fn pixels(&self, root: &Path, split: Split) -> Result<Vec<u8>> {
        let images = self.array(&self.0.images, "images", split);
        match (self.file(root, split), images) {
            (Some(file), Some((name, _))) => Ok(Archive::open(&file)?.read(&name)?.1),
            _ => Err(PluginError::data(format!("there is no split `{}`", split.name()))),
        }
    }

    fn describe(&self, root: &Path, split: Split) -> String {
        self.file(root, split).unwrap_or_else(|| root.to_owned()).display().to_string()
    }
}

/// An opened file.
struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
}

impl Archive {
    fn open(path: &Path) -> Result<Self> {
        let file = BufReader::new(files::open(path)?);
        let zip = ZipArchive::new(file).map_err(|error| {
            PluginError::data(format!("{}: no npz file ({error}); write it with `numpy.savez`", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), zip })
    }

    fn has(&self, array: &str) -> bool {
        self.zip.index_for_name(&format!("{array}.npy")).is_some()
    }

    fn header(&mut self, array: &str) -> Result<Header> {
        self.with(array, |reader| numpy::header(reader))
    }

    /// All values and their header, ordered.
    fn read(&mut self, array: &str) -> Result<(Header, Vec<u8>)> {
        self.with(array, |reader| {
            let header = numpy::header(reader)?;
            let expected = header.bytes().ok_or("is larger than any memory")?;
            let mut bytes = Vec::new();
            bytes
                .try_reserve_exact(expected)
                .map_err(|_| format!("has {expected} bytes, more than there is memory"))?;
            let limit = expected as u64 + 1;
            reader.take(limit).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
            if bytes.len() != expected {
                let (found, shape) = (bytes.len(), header.dimensions());
                return Err(format!("of {shape} has {found} bytes or more, expected {expected}"));
            }
            Ok(numpy::ordered(header, bytes))
        })
    }

    fn with<T>(
        &mut self,
        array: &str,
        read: impl FnOnce(&mut dyn Read) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let path = self.path.display().to_string();
        let known: Vec<String> =
            self.zip.file_names().filter_map(|name| Some(format!("`{}`", name.strip_suffix(".npy")?))).collect();
        let mut entry = self.zip.by_name(&format!("{array}.npy")).map_err(|error| {
            PluginError::data(match error {
                zip::result::ZipError::FileNotFound => {
                    format!("{path} has no array `{array}`; it has {}", known.join(", "))
                }
                error => format!("{path}: `{array}` cannot be read: {error}"),
            })
        })?;
        read(&mut entry).map_err(|message| PluginError::data(format!("{path}: `{array}` {message}")))
    }
}
