//! Which images lie below a folder, and where a listed image is.

use selfsame_plugin_api::images::{Content, FIRST};
use selfsame_plugin_api::{PluginError, Result, Services};
use selfsame_tables::files::{LeftOut, Links, printable, printed};
use selfsame_tables::{hints, names};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
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
    /// The paths below `root` of files that are no images.
    pub others: Vec<String>,
    left_out: LeftOut,
    links: Links,
}

impl Listing {
    /// Whether there are archives, in which images may be.
    pub fn has_archives(&self) -> bool {
        self.left_out.has_archives()
    }

    /// Says what is left out, and which links make images count twice.
    pub fn warn(&self, root: &Path) {
        if self.left_out.count() > 0 {
            let (root, kinds) = (root.display(), self.left_out.kinds());
            let message = match self.left_out.count() {
                1 => format!("{root}: 1 file is no image that is read, and is left out: {kinds}"),
                count => format!("{root}: {count} files are no images that are read, and are left out: {kinds}"),
            };
            let message = match self.dicom {
                0 => message,
                dicom => format!("{message}; {dicom} of them are DICOM"),
            };
            if self.left_out.may_be_images() { tracing::warn!("{message}") } else { tracing::info!("{message}") }
        }
        if let Some(message) = self.links.doubled() {
            tracing::warn!("{message}");
        }
    }
}

/// Looks through `root`. Hidden files and folders are left out; links are followed. A file with another ending than an
/// image's counts when its first bytes are those of an image. Arrays of NumPy are images where there are no others.
///
/// # Errors
/// Folders that cannot be read, and links that lead nowhere or in a circle.
pub fn below(root: &Path, services: &dyn Services) -> Result<Listing> {
    let mut found = Listing {
        images: Vec::new(),
        dicom: 0,
        folders: Vec::new(),
        others: Vec::new(),
        left_out: LeftOut::default(),
        links: Links::below(root),
    };
    let mut arrays = Vec::new();
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
            found.links.look_at(entry.path());
        }
        if entry.file_type().is_dir() && (1..=2).contains(&entry.depth()) {
            found.folders.push(id_below(root, entry.path()));
        }
        if !entry.file_type().is_file() {
            continue;
        }
        let content = if has_image_ending(entry.path()) { Content::Image } else { content(entry.path()) };
        match content {
            Content::Image => {
                found.images.push(Found { id: id_below(root, entry.path()), path: entry.into_path() });
                continue;
            }
            Content::Array => {
                arrays.push(Found { id: id_below(root, entry.path()), path: entry.into_path() });
                continue;
            }
            Content::Dicom => found.dicom += 1,
            Content::BigTiff | Content::Other => {}
        }
        found.left_out.add(entry.path());
        found.others.push(id_below(root, entry.path()));
    }
    // Beside pictures, an array is rather a label or a feature.
    if found.images.is_empty() {
        found.images = arrays;
    } else {
        for array in arrays {
            found.left_out.add(&array.path);
            found.others.push(array.id);
        }
    }
    found.images.sort();
    Ok(found)
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
    /// What lies below the root; looked for when the first image does not lie where the list says.
    listing: OnceCell<Listing>,
    /// Files by name, with and without ending.
    by_name: OnceCell<HashMap<String, Vec<PathBuf>>>,
}

impl<'a> Finder<'a> {
    /// For images below `root`, and for paths that begin in `folders` below it.
    pub fn new(root: &'a Path, folders: &[String]) -> Self {
        let bases = std::iter::once(root.to_path_buf()).chain(folders.iter().map(|folder| root.join(folder))).collect();
        Self { root, bases, listing: OnceCell::new(), by_name: OnceCell::new() }
    }

    /// Where the image `listed` lies: at that path below the root or one of the folders, or, for a mere file name, with or without its
    /// ending, in any folder below it. None when it is nowhere. Bytes that are no UTF-8 may be written as [`id_below`] writes them.
    ///
    /// # Errors
    /// Several files of that name, or folders that cannot be read.
    pub fn find(&self, listed: &str, services: &dyn Services) -> Result<Option<PathBuf>> {
        let at = |path: &Path| self.bases.iter().map(|base| base.join(path)).find(|path| path.is_file());
        if let Some(path) = at(Path::new(listed)).or_else(|| at(&printed(listed)?)) {
            return Ok(Some(path));
        }
        if listed.contains('/') || listed.is_empty() {
            return Ok(None);
        }
        let images = &self.listing(services)?.images;
        match self.by_name.get_or_init(|| by_name(images)).get(listed).map_or(&[][..], Vec::as_slice) {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            places @ [one, two, ..] => Err(PluginError::data(format!(
                "`{listed}` is the name of {} files, among them {} and {}; list paths instead of names",
                places.len(),
                one.display(),
                two.display()
            ))),
        }
    }

    /// What lies below the root, which is looked through once.
    fn listing(&self, services: &dyn Services) -> Result<&Listing> {
        if let Some(listing) = self.listing.get() {
            return Ok(listing);
        }
        let listing = below(self.root, services)?;
        Ok(self.listing.get_or_init(|| listing))
    }

    /// The beginning that `strip_prefix` would have to cut from `listed` for it to be found.
    pub fn strange_prefix<'b>(&self, listed: &'b str) -> Option<&'b str> {
        let mut cuts = listed.match_indices('/').map(|(at, _)| at + 1);
        cuts.find(|&at| self.root.join(&listed[at..]).is_file()).map(|at| &listed[..at])
    }

    /// What the first of the missing images nearly is, in words that begin with `; `, or nothing.
    ///
    /// # Errors
    /// As [`below`].
    pub fn hint(&self, missing: &[String], services: &dyn Services) -> Result<String> {
        let Listing { images, others, .. } = self.listing(services)?;
        let named: HashSet<&str> = others.iter().flat_map(|id| names_of(id)).collect();
        if let Some(missing) = missing.iter().find(|missing| named.contains(missing.as_str())) {
            return Ok(format!("; `{}` is there, but is no image that is read", names::shortened(missing)));
        }
        Ok(hints::nearly(missing, images.iter().map(|found| found.id.as_str())))
    }
}

/// The file's name, and without its ending.
fn names_of(id: &str) -> impl Iterator<Item = &str> {
    let name = id.rsplit('/').next().unwrap_or(id);
    std::iter::once(name).chain(name.rsplit_once('.').map(|(stem, _)| stem))
}

fn by_name(images: &[Found]) -> HashMap<String, Vec<PathBuf>> {
    let mut names: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for found in images {
        for name in names_of(&found.id) {
            names.entry(name.to_string()).or_default().push(found.path.clone());
        }
    }
    names
}
