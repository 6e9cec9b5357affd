mod folders;
mod hostile;
mod looks;
mod real_files;
mod syntaxes;
mod tables;
mod writer;

use crate::codec::Stored;
use crate::header::{Layout, Presentation};
use crate::options::Voi;
use selfsame_plugin_api::{Cancelled, Dataset, DatasetRequest, Services};
use serde_json::Value;
use std::path::Path;

/// A host that says nothing and never stops.
struct Silent;

impl Services for Silent {
    fn progress(&self, _what: &str, _done: u64, _total: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}

fn request(name: &str, folder: &Path, options: Value) -> DatasetRequest {
    DatasetRequest {
        name: name.into(),
        dataset_dir: Some(folder.to_path_buf()),
        cache_dir: folder.join("never used"),
        options,
    }
}

/// The stored samples of one frame, whatever window the file has.
fn stored(path: &Path, frame: u32) -> Result<(Layout, Presentation, Stored), String> {
    crate::render::stored(path, frame, Voi::None)
}

fn dataset(name: &str, folder: &Path, options: Value) -> Box<dyn Dataset> {
    crate::create(&request(name, folder, options)).unwrap()
}
