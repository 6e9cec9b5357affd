//! Configurations made of texts.
use selfsame::config::{ConfigError, Resolved, Sources, load};
use std::path::PathBuf;
use tempfile::TempDir;

/// Files in a folder that goes away with the value.
pub struct Files(pub TempDir);

impl Files {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn load(&self, names: &[&str]) -> Result<Resolved, ConfigError> {
        load(&Sources { files: names.iter().map(|name| self.path(name)).collect(), ..Sources::default() })
    }

    /// The text without the folder's name.
    pub fn strip(&self, text: impl ToString) -> String {
        text.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// Loads one file `a.yaml` of this text; an error is given with the file's bare name.
pub fn yaml(text: &str) -> Result<Resolved, String> {
    let files = Files::new(&[("a.yaml", text)]);
    files.load(&["a.yaml"]).map_err(|error| files.strip(error))
}
