//! One split of Parquet files, opened.

use super::rows::Rows;
use crate::flat::Flat;
use selfsame_plugin_api::images::{self, Form};
use selfsame_plugin_api::{Image, PluginError, Result, Samples, Targets, files};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// A row of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub file: usize,
    pub row: usize,
}

/// The samples of one split.
pub struct ParquetSamples {
    pub files: Arc<Vec<Rows>>,
    pub places: Vec<Place>,
    pub ids: Vec<String>,
    pub groups: Option<Vec<String>>,
    pub targets: Targets,
    pub form: Form,
    pub fingerprint: String,
    pub flat: Flat,
}

/// SHA-256 of everything that pixels depend on.
///
/// # Errors
/// Files that are gone since they were looked at.
pub fn fingerprint(rows: &[Rows], places: &[Place], form: &Form, column: &str) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(format!("parquet 1, {}\n{form:?}\n{column}\n", images::VERSION));
    for file in rows {
        let path = &file.table.path;
        let gone = |error: std::io::Error| files::failure("read", path, &error);
        let metadata = std::fs::metadata(path).map_err(gone)?;
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed = changed.map_or(0, |since| since.as_nanos());
        digest.update(std::path::absolute(path).map_err(gone)?.as_os_str().as_encoded_bytes());
        digest.update(format!("\0{}\0{changed}\n", metadata.len()));
    }
    for Place { file, row } in places {
        digest.update(file.to_le_bytes());
        digest.update(row.to_le_bytes());
    }
    Ok(base16ct::lower::encode_string(&digest.finalize()))
}

impl ParquetSamples {
    fn bytes(&self, index: usize) -> Result<Vec<u8>> {
        let place = self.places.get(index).ok_or_else(|| {
            PluginError::contract(format!("sample {index} was asked for, but there are {}", self.places.len()))
        })?;
        self.files[place.file].image(place.row)
    }

    fn failure(&self, index: usize, cause: &str) -> PluginError {
        PluginError::data(format!("sample {index}, {}: {cause}", self.ids[index]))
    }
}

impl Samples for ParquetSamples {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn targets(&self) -> Targets {
        self.targets.clone()
    }

    fn groups(&self) -> Option<Vec<String>> {
        self.groups.clone()
    }

    fn ids(&self) -> Option<Vec<String>> {
        Some(self.ids.clone())
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let read = |&index: &usize| {
            let image = images::read_bytes(self.bytes(index)?, &self.form);
            let image = image.map_err(|cause| self.failure(index, &cause))?;
            self.flat.note(index, &image);
            Ok(image)
        };
        indices.iter().map(read).collect()
    }

    fn fingerprint(&self) -> Option<String> {
        Some(self.fingerprint.clone())
    }

    fn facts(&self, index: usize) -> Result<BTreeMap<String, String>> {
        let bytes = self.bytes(index)?;
        let header = images::header_bytes(&bytes, &self.form);
        let header = header.map_err(|cause| self.failure(index, &cause))?;
        let facts = [
            ("format", header.format.clone()),
            ("size", format!("{}×{}", header.size.1, header.size.0)),
            ("bit depth", header.bits().to_string()),
        ];
        let flat = self.flat.fact(index, &self.form, || images::is_flat_bytes(bytes, &self.form));
        Ok(facts.into_iter().map(|(name, value)| (name.to_string(), value)).chain(flat).collect())
    }
}
