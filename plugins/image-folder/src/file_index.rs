//! Which images lie below a folder, and where a listed image is.

use selfsame_plugin_api::{PluginError, Result, Services};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// Endings of image files, in small letters.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "jpe", "tif", "tiff", "webp", "bmp"];

/// An image file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The path below the data set's folder, with `/` between its parts.
    pub id: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// All images below `root`, sorted by path. Hidden files and folders are left out; links are followed. A file with
/// another ending than an image's counts when its first bytes are those of an image.
///
/// # Errors
/// Folders that cannot be read, links that lead in a circle, and names that are not UTF-8.
pub fn images_below(root: &Path, services: &dyn Services) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut others = 0u64;
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    for (count, entry) in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)).enumerate() {
        if count % 1000 == 0 {
            services.items("files found", count as u64, None)?;
        }
        let entry = entry.map_err(|error| PluginError::data(format!("could not look through the folder: {error}")))?;
        if !entry.file_type().is_file() {
            continue;
        }
        if !has_image_ending(entry.path()) && !begins_as_image(entry.path()) {
            others += 1;
            continue;
        }
        found.push(Found { id: id_below(root, entry.path())?, path: entry.into_path() });
    }
    if others > 0 {
        tracing::info!("{}: {others} files are no images and are left out", root.display());
    }
    found.sort();
    Ok(found)
}

fn is_hidden(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    name.starts_with('.') || name == "__MACOSX"
}

fn has_image_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// Whether the first bytes are those of an image. BMP's two letters say too little.
fn begins_as_image(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let Ok(file) = File::open(path) else { return false };
    if file.take(16).read_to_end(&mut bytes).is_err() {
        return false;
    }
    let format = image::guess_format(&bytes).ok();
    format.is_some_and(|format| format != image::ImageFormat::Bmp && crate::decode::FORMATS.contains(&format))
}

/// The path below `root` with `/` between its parts; the whole path for a file elsewhere.
///
/// # Errors
/// A name that is not UTF-8.
pub fn id_below(root: &Path, path: &Path) -> Result<String> {
    // Collected anew, so that `a/./b` and `a//b` are one file.
    let below: PathBuf = path.strip_prefix(root).unwrap_or(path).components().collect();
    let text = below.to_str().ok_or_else(|| {
        PluginError::data(format!("the file name {} is not UTF-8; rename the file", below.to_string_lossy()))
    })?;
    Ok(text.to_string())
}

/// Finds listed images below a folder.
pub struct Finder<'a> {
    root: &'a Path,
    /// Files by name, with and without ending; filled when the first one does not lie where the list says.
    by_name: Option<HashMap<String, Vec<PathBuf>>>,
}

impl<'a> Finder<'a> {
    /// For images below `root`.
    pub fn new(root: &'a Path) -> Self {
        Self { root, by_name: None }
    }

    /// Where the image `listed` lies: at that path below the root, or, for a mere file name, with or without its
    /// ending, in any folder below it. None when it is nowhere.
    ///
    /// # Errors
    /// Several files of that name, or folders that cannot be read.
    pub fn find(&mut self, listed: &str, services: &dyn Services) -> Result<Option<PathBuf>> {
        let path = self.root.join(listed);
        if path.is_file() {
            return Ok(Some(path));
        }
        if listed.contains('/') || listed.is_empty() {
            return Ok(None);
        }
        if self.by_name.is_none() {
            self.by_name = Some(index(self.root, services)?);
        }
        let places = self.by_name.as_ref().and_then(|names| names.get(listed)).map_or(&[][..], Vec::as_slice);
        match places {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            [one, two, ..] => Err(PluginError::data(format!(
                "`{listed}` is the name of {} files, among them {} and {}; list paths instead of names",
                places.len(),
                one.display(),
                two.display()
            ))),
        }
    }

    /// The beginning that `strip_prefix` would have to cut from `listed` for it to be found.
    pub fn strange_prefix<'b>(&self, listed: &'b str) -> Option<&'b str> {
        let mut cuts = listed.match_indices('/').map(|(at, _)| at + 1);
        cuts.find(|&at| self.root.join(&listed[at..]).is_file()).map(|at| &listed[..at])
    }
}

fn index(root: &Path, services: &dyn Services) -> Result<HashMap<String, Vec<PathBuf>>> {
    let mut names: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for found in images_below(root, services)? {
        let name = found.id.rsplit('/').next().unwrap_or(&found.id).to_string();
        if let Some((stem, _)) = name.rsplit_once('.') {
            names.entry(stem.to_string()).or_default().push(found.path.clone());
        }
        names.entry(name).or_default().push(found.path);
    }
    Ok(names)
}
