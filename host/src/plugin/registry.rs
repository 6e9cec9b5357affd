//! Which plugin provides which name.

use super::{
    PluginFailure, Provided, SearchDir, described,
    described::DescribedDataset,
    description::Description,
    load::{self, Library},
    scanned::{Kind, ScannedFile},
    search,
    usage::UsedCard,
};
use crate::storage::sha256_of_file;
use selfsame_encoder_api::{Encoder, EncoderCard, EncoderRequest};
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Services, Survey};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeSet, HashSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tch::Device;

/// A plugin file that a run has used; written into `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginFile {
    /// Canonical path.
    pub path: PathBuf,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What was used of it.
    pub used: Vec<UsedCard>,
}

/// The plugins of a search path. Scanning reads manifests only; a file is opened when a name of it is asked for.
pub struct Registry {
    pub(super) searched: Vec<SearchDir>,
    pub(super) files: Vec<ScannedFile>,
    opened: Mutex<Vec<Arc<Library>>>,
    /// Descriptions that a data set was made of.
    described: Mutex<Vec<PluginFile>>,
    /// Files passed over that have been told of.
    pub(super) told: Mutex<HashSet<PathBuf>>,
}

impl Registry {
    /// Judges all plugin files in `dirs`.
    pub fn scan(dirs: &[SearchDir]) -> Self {
        let scan = |(folder, path): (usize, PathBuf)| ScannedFile::read(path, folder, &dirs[folder]);
        let files = search::files(dirs).into_iter().map(scan).collect();
        Self::of(dirs.to_vec(), files)
    }

    fn of(searched: Vec<SearchDir>, files: Vec<ScannedFile>) -> Self {
        Self { searched, files, opened: Mutex::default(), described: Mutex::default(), told: Mutex::default() }
    }

    /// One plugin file alone, and what it provides. A description's reader is one of the plugins in `dirs`.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn of_file(file: &Path, dirs: &[SearchDir]) -> Result<(Self, Provided), PluginFailure> {
        let unusable = |reason: String| PluginFailure::Unusable { path: file.to_owned(), reason };
        let path = file.canonicalize().map_err(|error| match error.kind() {
            ErrorKind::NotFound => PluginFailure::Absent { path: file.to_owned() },
            _ => unusable(format!("cannot be opened: {error}")),
        })?;
        let folder = SearchDir::new(path.parent().unwrap_or(Path::new("/")), "the file's own folder");
        let scanned = ScannedFile::read(path, 0, &folder);
        let provided = scanned.provided.clone().map_err(unusable)?;
        let mut searched = vec![folder];
        let mut files = vec![scanned];
        if let Provided::Description(description) = &provided {
            searched.extend_from_slice(dirs);
            let read = |(folder, path): (usize, PathBuf)| ScannedFile::read(path, folder + 1, &dirs[folder]);
            let readers = search::files(dirs).into_iter().map(read);
            files.extend(readers.filter(|file| !file.provides(Kind::Dataset, &description.file().name)));
        }
        Ok((Self::of(searched, files), provided))
    }

    /// All files found, in search order.
    pub fn files(&self) -> &[ScannedFile] {
        &self.files
    }

    /// The files that have been used so far: descriptions, and libraries that were opened, in that order.
    pub fn used(&self) -> Vec<PluginFile> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let file = |library: &Arc<Library>| PluginFile {
            path: library.path.clone(),
            sha256: library.sha256.clone(),
            name: library.manifest.name.clone(),
            version: library.manifest.version.clone(),
            used: library.used(),
        };
        let described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        described.iter().cloned().chain(opened.iter().map(file)).collect()
    }

    /// The card of the data set `name`.
    ///
    /// # Errors
    /// An unknown or ambiguous name, a file of the current folder that others can write to in place of another one, an
    /// unusable file, or a card that breaks its contract.
    pub fn dataset_card(&self, name: &str) -> Result<Card, PluginFailure> {
        match self.description(name)? {
            Some(description) => {
                let card = description.card(self.reader(&description)?.dataset_card(&description.file().reader)?);
                Ok(described::checked(&description, card)?)
            }
            None => Ok(self.provider(Kind::Dataset, name)?.dataset_card(name)?),
        }
    }

    /// Refuses options that a data set without code decides itself.
    ///
    /// # Errors
    /// As [`Registry::dataset_card`], and the option with the place that decides it.
    pub fn check_options(&self, name: &str, options: &Map<String, Value>) -> Result<(), PluginFailure> {
        match self.description(name)? {
            Some(description) => Ok(description.check_options(options)?),
            None => Ok(()),
        }
    }

    /// Makes the data set `request.name`. What it returns is checked against its card.
    ///
    /// # Errors
    /// As [`Registry::dataset_card`], and what the plugin says about the request's options.
    pub fn create_dataset(&self, request: &DatasetRequest) -> Result<Box<dyn Dataset>, PluginFailure> {
        let Some(description) = self.description(&request.name)? else {
            return Ok(self.provider(Kind::Dataset, &request.name)?.create_dataset(request)?);
        };
        let asked = description.request(request)?;
        let reader = self.reader(&description)?.create_dataset(&asked);
        let reader = reader.map_err(|error| description.named(error))?;
        self.note_use(&description, &self.dataset_card(&request.name)?)?;
        Ok(Box::new(DescribedDataset { description, reader }))
    }

    /// The compiled data sets that can say what they would make of a folder ([`Card::surveys`]), by name. Plugins that cannot
    /// be used are warned of and passed over.
    pub fn surveying(&self) -> Vec<String> {
        let compiled = self.files.iter().filter_map(|file| match &file.provided {
            Ok(Provided::Library(manifest)) => Some(&manifest.datasets),
            _ => None,
        });
        let names: BTreeSet<&String> = compiled.flatten().collect();
        let surveys = |name: &&&String| match self.dataset_card(name) {
            Ok(card) => card.surveys,
            Err(failure) => {
                tracing::warn!("the data set {name} is not asked: {failure}");
                false
            }
        };
        names.iter().filter(surveys).map(|name| (*name).clone()).collect()
    }

    /// What the data set `request.name`, one of [`surveying`](Self::surveying), says of the request's folder; none: it cannot
    /// tell.
    ///
    /// # Errors
    /// As [`Registry::dataset_card`], and a folder that cannot be read.
    pub fn survey(&self, request: &DatasetRequest, services: &dyn Services) -> Result<Option<Survey>, PluginFailure> {
        Ok(self.provider(Kind::Dataset, &request.name)?.survey(request, services)?)
    }

    /// The cards of all encoders that can be used, by name; those that cannot are warned of.
    pub fn encoder_cards(&self) -> Vec<EncoderCard> {
        let usable = self.files.iter().filter_map(|file| file.provided.as_ref().ok());
        let names: BTreeSet<&String> = usable.flat_map(Provided::encoders).collect();
        let card = |name: &String| match self.encoder_card(name) {
            Ok(card) => Some(card),
            Err(failure) => {
                tracing::warn!("the encoder {name} is not looked at: {failure}");
                None
            }
        };
        names.into_iter().filter_map(card).collect()
    }

    /// The description that a name stands for; none where it is a library's.
    fn description(&self, name: &str) -> Result<Option<Arc<Description>>, PluginFailure> {
        match &self.find(Kind::Dataset, name)?.provided {
            Ok(Provided::Description(description)) => Ok(Some(description.clone())),
            _ => Ok(None),
        }
    }

    /// The library that reads what a description is about.
    fn reader(&self, description: &Description) -> Result<Arc<Library>, PluginFailure> {
        let name = &description.file().reader;
        if self.description(name).map_err(|error| description.unusable(format!("its reader: {error}")))?.is_some() {
            return Err(description
                .unusable(format!("its reader `{name}` is no compiled data set; name the one that it names")));
        }
        self.provider(Kind::Dataset, name)
    }

    fn note_use(&self, description: &Description, card: &Card) -> Result<(), PluginFailure> {
        let path = description.path();
        let (sha256, _) =
            sha256_of_file(path).map_err(|error| description.unusable(format!("cannot be read: {}", error.source)))?;
        let file = PluginFile {
            path: path.to_owned(),
            sha256,
            name: description.file().name.clone(),
            version: description.file().version.clone(),
            used: vec![card.into()],
        };
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        if !described.contains(&file) {
            described.push(file);
        }
        Ok(())
    }

    /// The card of the encoder `name`.
    ///
    /// # Errors
    /// As [`Registry::dataset_card`].
    pub fn encoder_card(&self, name: &str) -> Result<EncoderCard, PluginFailure> {
        Ok(self.provider(Kind::Encoder, name)?.encoder_card(name)?)
    }

    /// Makes the encoder `request.name` on `device`. Its parameters and buffers are asked for once, here.
    ///
    /// # Errors
    /// As [`Registry::dataset_card`], and what the plugin says about the request.
    pub fn create_encoder(&self, request: &EncoderRequest, device: Device) -> Result<Box<dyn Encoder>, PluginFailure> {
        Ok(self.provider(Kind::Encoder, &request.name)?.create_encoder(request, device)?)
    }

    /// The folders that were searched and have plugin files, in order, each with its files.
    pub fn folders(&self) -> impl Iterator<Item = (&SearchDir, Vec<&ScannedFile>)> {
        let files = |at: usize| self.files.iter().filter(|file| file.folder == at).collect::<Vec<_>>();
        self.searched.iter().enumerate().map(move |(at, dir)| (dir, files(at))).filter(|(_, files)| !files.is_empty())
    }

    fn provider(&self, kind: Kind, name: &str) -> Result<Arc<Library>, PluginFailure> {
        let file = self.find(kind, name)?;
        let path = &file.path;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = opened.iter().find(|library| library.path == *path) {
            return Ok(library.clone());
        }
        if let Some(others) = &file.others {
            tracing::warn!("plugin file {}: {others}, who decide what it does here", path.display());
        }
        let library = Arc::new(load::open(path)?);
        opened.push(library.clone());
        Ok(library)
    }
}
