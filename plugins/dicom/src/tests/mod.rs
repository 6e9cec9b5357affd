mod colours;
mod folders;
mod hostile;
mod lengths;
mod looks;
mod real_files;
mod silent;
mod streams;
mod surveys;
mod syntaxes;
mod tables;
mod writer;
mod written;

use crate::codec::Stored;
use crate::layout::Layout;
use crate::opened::Opened;
use crate::options::{Look, RenderOptions, Voi};
use crate::presentation::Presentation;
use crate::render;
use selfsame_plugin_api::{Cancelled, Dataset, DatasetRequest, Image, Services};
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

fn dataset(name: &str, folder: &Path, options: Value) -> Box<dyn Dataset> {
    crate::create(&request(name, folder, options)).unwrap()
}

/// A frame of a file as a viewer shows it.
fn frame(path: &Path, frame: u32, look: RenderOptions) -> Result<Image, String> {
    render::frame(&Opened::new(path)?, frame, &Look { pixels: look, windows: Vec::new() })
}

/// The stored samples of one frame and what they mean, whatever window the file has.
fn stored(path: &Path, frame: u32) -> Result<(Layout, Presentation, Stored), String> {
    Opened::new(path)?.stored(frame, Voi::None)
}
