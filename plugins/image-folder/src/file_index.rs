//! Which images lie below a folder, and where a listed image is.

use selfsame_plugin_api::images::{Content, FIRST};
use selfsame_plugin_api::{PluginError, Result, Services};
use selfsame_tables::files::{LeftOut, Links, printable};
use selfsame_tables::hints;
use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

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

/// What lies below a folder.
pub struct Listing {
    /// All images, sorted by path.
    pub images: Vec<Found>,
    /// How many DICOM files there are.
    pub dicom: usize,
    /// Folders and the folders in them, no deeper, by their paths below `root`.
    pub folders: Vec<String>,
}

/// Looks through `root`. Hidden files and folders are left out; links are followed. A file with another ending than an
/// image's counts when its first bytes are those of an image. Arrays of NumPy are images where there are no others.
///
/// # Errors
/// Folders that cannot be read, and links that lead nowhere or in a circle.
pub fn below(root: &Path, services: &dyn Services) -> Result<Listing> {
    let (mut images, mut arrays, mut folders) = (Vec::new(), Vec::new(), Vec::new());
    let (mut left_out, mut dicom) = (LeftOut::default(), 0);
    let mut links = Links::below(root);
    let walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    for (count, entry) in walk.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path())).enumerate() {
        if count % 1000 == 0 {
            services.items("files found", count as u64, None)?;
        }
        let entry = match entry {
            Ok(entry) => entry,
            // The walk does not ask about what it cannot open.
            Err(error) if error.depth() > 0 && error.path().is_some_and(is_hidden) => continue,
            Err(error) => return Err(unreadable(&error)),
        };
        if entry.path_is_symlink() && entry.depth() > 0 {
            links.look_at(entry.path());
        }
        if entry.file_type().is_dir() && (1..=2).contains(&entry.depth()) {
            folders.push(id_below(root, entry.path()));
        }
        if !entry.file_type().is_file() {
            continue;
        }
        let content = if has_image_ending(entry.path()) { Content::Image } else { content(entry.path()) };
        match content {
            Content::Image => images.push(Found { id: id_below(root, entry.path()), path: entry.into_path() }),
            Content::Array => arrays.push(Found { id: id_below(root, entry.path()), path: entry.into_path() }),
            Content::Dicom => {
                dicom += 1;
                left_out.add(entry.path());
            }
            Content::BigTiff | Content::Other => left_out.add(entry.path()),
        }
    }
    // Beside pictures, an array is rather a label or a feature.
    match images.is_empty() {
        true => images = arrays,
        false => arrays.iter().for_each(|array| left_out.add(&array.path)),
    }
    if left_out.count() > 0 {
        let (root, count, kinds) = (root.display(), left_out.count(), left_out.kinds());
        let message = format!("{root}: {count} files are no images that are read, and are left out: {kinds}");
        let message = if dicom > 0 { format!("{message}; {dicom} of them are DICOM") } else { message };
        if left_out.may_be_images() { tracing::warn!("{message}") } else { tracing::info!("{message}") }
    }
    if let Some(message) = links.doubled() {
        tracing::warn!("{message}");
    }
    images.sort();
    Ok(Listing { images, dicom, folders })
}

/// What cannot be looked at, and what to do.
fn unreadable(error: &walkdir::Error) -> PluginError {
    let path = error.path().unwrap_or(Path::new(""));
    let is_missing = error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound);
    let shown = path.display();
    PluginError::data(match error.loop_ancestor() {
        Some(ancestor) => format!("the link {shown} leads in a circle, to {}; remove it", ancestor.display()),
        None if is_missing && path.is_symlink() => {
            format!("the link {shown} leads nowhere; remove it, or restore what it leads to")
        }
        None => format!("could not look through the folder: {error}; allow reading it, or move it away"),
    })
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "__MACOSX"
}

fn has_image_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// What the file's first bytes say; nothing of a file that cannot be read.
fn content(path: &Path) -> Content {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FIRST).read_to_end(&mut first));
    read.map_or(Content::Other, |_| Content::of(&first))
}

/// The path below `root` with `/` between its parts; the whole path for a file elsewhere. Bytes that are no UTF-8 are written
/// as `\xE9`.
pub fn id_below(root: &Path, path: &Path) -> String {
    printable(path.strip_prefix(root).unwrap_or(path))
}

/// Finds listed images below a folder.
pub struct Finder<'a> {
    root: &'a Path,
    /// The root, and folders below it that listed paths begin in too.
    bases: Vec<PathBuf>,
    /// Files by name, with and without ending; filled when the first one does not lie where the list says.
    by_name: Option<HashMap<String, Vec<PathBuf>>>,
}

impl<'a> Finder<'a> {
    /// For images below `root`, and for paths that begin in `folders` below it.
    pub fn new(root: &'a Path, folders: &[String]) -> Self {
        let bases = std::iter::once(root.to_path_buf()).chain(folders.iter().map(|folder| root.join(folder))).collect();
        Self { root, bases, by_name: None }
    }

    /// Where the image `listed` lies: at that path below the root or one of the folders, or, for a mere file name, with or without its
    /// ending, in any folder below it. None when it is nowhere.
    ///
    /// # Errors
    /// Several files of that name, or folders that cannot be read.
    pub fn find(&mut self, listed: &str, services: &dyn Services) -> Result<Option<PathBuf>> {
        if let Some(path) = self.bases.iter().map(|base| base.join(listed)).find(|path| path.is_file()) {
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

/// What the first of the missing images nearly is, in words.
///
/// # Errors
/// As [`below`].
pub fn hint(root: &Path, missing: &[String], services: &dyn Services) -> Result<String> {
    let images = below(root, services)?.images;
    Ok(hints::nearly(missing, images.iter().map(|found| found.id.as_str())))
}

fn index(root: &Path, services: &dyn Services) -> Result<HashMap<String, Vec<PathBuf>>> {
    let mut names: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for found in below(root, services)?.images {
        let name = found.id.rsplit('/').next().unwrap_or(&found.id).to_string();
        if let Some((stem, _)) = name.rsplit_once('.') {
            names.entry(stem.to_string()).or_default().push(found.path.clone());
        }
        names.entry(name).or_default().push(found.path);
    }
    Ok(names)
}
