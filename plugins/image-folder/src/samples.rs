//! One split, opened.

use crate::catalogue::Catalogue;
use crate::entry::Entry;
use crate::flat::Flat;
use selfsame_plugin_api::images::{self, Form};
use selfsame_plugin_api::{Image, PluginError, Result, Samples, Split, Targets};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::time::UNIX_EPOCH;

/// The samples of one split.
pub struct FolderSamples {
    entries: Vec<Entry>,
    targets: Targets,
    form: Form,
    fingerprint: String,
    flat: Flat,
}

impl FolderSamples {
    /// Takes a split out of the catalogue.
    ///
    /// # Errors
    /// Files that are gone since the folder was looked at.
    pub fn open(catalogue: &Catalogue, form: Form, split: Split) -> Result<Self> {
        let places = catalogue.places(split);
        let entries: Vec<Entry> = places.iter().map(|&place| catalogue.entries[place].clone()).collect();
        let fingerprint = fingerprint(&entries, &form)?;
        Ok(Self { targets: catalogue.labelling.targets_at(&places), entries, form, fingerprint, flat: Flat::default() })
    }

    fn entry(&self, index: usize) -> Result<&Entry> {
        self.entries.get(index).ok_or_else(|| {
            PluginError::plugin(format!("sample {index} does not exist; there are {}", self.entries.len()))
        })
    }
}

fn failure(index: usize, entry: &Entry, cause: &str) -> PluginError {
    PluginError::data(format!("sample {index}, {}: {cause}", entry.path.display()))
}

/// SHA-256 of everything that pixels depend on; whole paths, since two folders may hold files of equal names, sizes and
/// times.
fn fingerprint(entries: &[Entry], form: &Form) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(format!("{}\n{form:?}\n", images::VERSION));
    for entry in entries {
        let gone = |error: std::io::Error| PluginError::data(format!("{}: {error}", entry.path.display()));
        let metadata = fs::metadata(&entry.path).map_err(gone)?;
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed = changed.map_or(0, |since| since.as_nanos());
        let path = std::path::absolute(&entry.path).map_err(gone)?;
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update(format!("\0{}\0{changed}\n", metadata.len()));
    }
    Ok(base16ct::lower::encode_string(&digest.finalize()))
}

impl Samples for FolderSamples {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn targets(&self) -> Targets {
        self.targets.clone()
    }

    fn groups(&self) -> Option<Vec<String>> {
        self.entries.iter().map(|entry| entry.group.clone()).collect()
    }

    fn ids(&self) -> Option<Vec<String>> {
        Some(self.entries.iter().map(|entry| entry.id.clone()).collect())
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let read = |&index: &usize| {
            let entry = self.entry(index)?;
            let image = images::read(&entry.path, &self.form).map_err(|cause| failure(index, entry, &cause))?;
            self.flat.note(index, &image);
            Ok(image)
        };
        indices.iter().map(read).collect()
    }

    fn fingerprint(&self) -> Option<String> {
        Some(self.fingerprint.clone())
    }

    fn facts(&self, index: usize) -> Result<BTreeMap<String, String>> {
        let entry = self.entry(index)?;
        let header = images::header(&entry.path, &self.form).map_err(|cause| failure(index, entry, &cause))?;
        let colours = match (header.colours(), header.alpha.is_stored()) {
            (1, false) => "grey".to_owned(),
            (1, true) => "grey with alpha".to_owned(),
            (3, false) => "colour".to_owned(),
            (3, true) => "colour with alpha".to_owned(),
            (channels, _) => format!("{channels} channels"),
        };
        let facts = [
            ("format", header.format.clone()),
            ("size", format!("{}×{}", header.size.1, header.size.0)),
            ("bit depth", header.bits().to_string()),
            ("colour type", colours),
            ("orientation", header.orientation.to_string()),
        ];
        let flat = self.flat.fact(index, &self.form, || images::is_flat(&entry.path, &self.form));
        Ok(facts.into_iter().map(|(name, value)| (name.to_string(), value)).chain(flat).collect())
    }
}
