//! What a plugin file provides: a library by its manifest, or one data set without code.

use super::{description, description::Description, manifest};
use selfsame_plugin_api::Manifest;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// A plugin file that was judged.
#[derive(Debug, Clone)]
pub enum Provided {
    /// A compiled plugin.
    Library(Box<Manifest>),
    /// A data set without code.
    Description(Arc<Description>),
}

impl Provided {
    /// Judges a plugin file; runs nothing of it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        match description::is_named_so(path) {
            true => Description::read(path).map(|description| Self::Description(description.into())),
            false => manifest::read(path).map(|manifest| Self::Library(manifest.into())),
        }
    }

    /// The plugin's name; a description's is that of its data set.
    pub fn name(&self) -> &str {
        match self {
            Self::Library(manifest) => &manifest.name,
            Self::Description(description) => &description.file().name,
        }
    }

    /// Its version; may be empty.
    pub fn version(&self) -> &str {
        match self {
            Self::Library(manifest) => &manifest.version,
            Self::Description(description) => &description.file().version,
        }
    }

    /// Names of its data sets.
    pub fn datasets(&self) -> &[String] {
        match self {
            Self::Library(manifest) => &manifest.datasets,
            Self::Description(description) => std::slice::from_ref(&description.file().name),
        }
    }

    /// Names of its encoders.
    pub fn encoders(&self) -> &[String] {
        match self {
            Self::Library(manifest) => &manifest.encoders,
            Self::Description(_) => &[],
        }
    }

    /// Name and version.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.name(), self.version()).trim_end().to_owned()
    }

    /// A library's manifest, or `{name, version, reader, datasets, encoders}`.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Library(manifest) => json!(manifest),
            Self::Description(description) => json!({
                "name": self.name(),
                "version": self.version(),
                "reader": description.file().reader,
                "datasets": self.datasets(),
                "encoders": self.encoders(),
            }),
        }
    }
}
