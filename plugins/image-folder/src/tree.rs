//! Folders as labels: `class/…`, `train/class/…`, or images without labels.

use crate::entry::{Entry, Given};
use crate::file_index::{self, Found, Listing};
use crate::options::Options;
use selfsame_plugin_api::{PluginError, Result, Services, Split};
use selfsame_tables::labels::plain;
use selfsame_tables::names;
use selfsame_tables::splits::by_name;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

const UNLABELLED: &str = "Set dataset.options.unlabelled to true when folders are not classes, or correct the folders";

/// Reads the tree below `root`. Folders of `root` that are named after splits are splits when nothing else lies beside
/// them; below them, or below `root`, the first folder is the class, however deep its images lie. Images without any
/// folder have no labels.
///
/// # Errors
/// No images, and trees that could be read in two ways.
pub fn read(root: &Path, options: &Options, services: &dyn Services) -> Result<(Vec<Entry>, Given)> {
    let Listing { images: found, dicom, folders } = file_index::below(root, services)?;
    if found.is_empty() {
        let advice = match dicom {
            0 => "correct dataset.dataset_dir".to_string(),
            _ => format!("but {dicom} DICOM files: set dataset.name to DicomFolder"),
        };
        return Err(PluginError::data(format!(
            "{}: no images (PNG, JPEG, TIFF, WebP, BMP or NumPy) in it or below; {advice}",
            root.display()
        )));
    }
    let has_splits = options.split_lists.is_none() && has_split_folders(&found, options, root)?;
    let mut loose = Vec::new();
    let mut entries = Vec::with_capacity(found.len());
    for image in found {
        let mut entry = Entry::new(image.id, image.path);
        let mut rest = entry.id.as_str();
        if let Some((folder, below)) = rest.split_once('/').filter(|_| has_splits) {
            entry.split = by_name(folder).unwrap_or(Split::Train);
            rest = below;
        }
        match rest.split_once('/') {
            Some((class, _)) => entry.labels = vec![plain(class).into_owned()],
            None => loose.push(entry.id.clone()),
        }
        entries.push(entry);
    }
    if options.unlabelled || loose.len() == entries.len() {
        // These two exclude `unlabelled`.
        if !options.classes.is_empty() || !options.positive_labels.is_empty() {
            let message = "`classes` and `positive_labels` need a folder for each class, and there is none";
            return Err(PluginError::configuration(format!("{}: {message}", root.display())));
        }
        entries.iter_mut().for_each(|entry| entry.labels.clear());
        return Ok((entries, Given::Nothing));
    }
    let classes: BTreeSet<&str> = entries.iter().flat_map(|entry| &entry.labels).map(String::as_str).collect();
    let classes: Vec<&str> = classes.into_iter().collect();
    let ambiguous = |what: String| Err(PluginError::data(format!("{}: {what}", root.display())));
    if !loose.is_empty() {
        let (images, folders) = (names::some_of(&loose), names::some_of(&classes));
        let with_classes: BTreeSet<Option<&str>> =
            entries.iter().filter(|entry| !entry.labels.is_empty()).map(|entry| first_folder(&entry.id)).collect();
        if has_splits && loose.iter().all(|id| !with_classes.contains(&first_folder(id))) {
            return ambiguous(format!(
                "the images {images} lie in no class folder, but other splits have the class folders {folders}. Move \
                 these images into class folders or away, or train without labels: set dataset.options.unlabelled to true"
            ));
        }
        return ambiguous(format!("images lie beside class folders: images {images}; folders {folders}. {UNLABELLED}"));
    }
    if options.classes.is_empty() {
        class_folders_have_images(&folders, &entries, has_splits, root)?;
    }
    if classes.len() == 1 && options.classes.is_empty() {
        let deeper = folders_deeper(&entries, has_splits).map_or_else(String::new, |(folder, inner)| {
            let path = root.join(folder);
            format!(
                " If the folders in it, {}, are the classes, set dataset.dataset_dir to {}.",
                names::some_of(&inner),
                path.display()
            )
        });
        return ambiguous(format!(
            "all images lie in one folder, {}, which would be the only class.{deeper} {UNLABELLED}",
            names::some_of(&classes)
        ));
    }
    Ok((entries, Given::Class))
}

/// Refuses class folders without any image: without their classes, the labels of those behind them would be others. A
/// class that has images in another split keeps its label, and its empty folder is named only.
fn class_folders_have_images(folders: &[String], entries: &[Entry], has_splits: bool, root: &Path) -> Result<()> {
    let depth = if has_splits { 2 } else { 1 };
    let occupied: HashSet<&str> = entries.iter().filter_map(|entry| upper_folder(&entry.id, depth)).collect();
    let labels: HashSet<&str> = entries.iter().flat_map(|entry| &entry.labels).map(String::as_str).collect();
    let class_of = |folder: &str| match folder.split_once('/') {
        Some((split, class)) if has_splits => by_name(split).is_some().then(|| plain(class).into_owned()),
        None if !has_splits => Some(plain(folder).into_owned()),
        _ => None,
    };
    let empty = folders.iter().filter(|folder| !occupied.contains(folder.as_str()));
    let empty = empty.filter_map(|folder| Some((folder.as_str(), class_of(folder)?)));
    let (known, lost): (Vec<_>, Vec<_>) = empty.partition(|(_, class)| labels.contains(class.as_str()));
    let list = |folders: &[(&str, String)]| names::some_of(&folders.iter().map(|(id, _)| id).collect::<Vec<_>>());
    if !lost.is_empty() {
        return Err(PluginError::data(format!(
            "{}: class folders without an image (PNG, JPEG, TIFF, WebP or BMP): {}. Add their images, remove the folders, \
             or name the classes in dataset.options.classes",
            root.display(),
            list(&lost)
        )));
    }
    if !known.is_empty() {
        tracing::warn!(
            "{}: class folders without an image, of classes that other splits have: {}",
            root.display(),
            list(&known)
        );
    }
    Ok(())
}

/// The only folder that images lie in and the folders in it, where these are several and hold all images.
fn folders_deeper(entries: &[Entry], has_splits: bool) -> Option<(&str, Vec<&str>)> {
    let folder = first_folder(&entries.first().filter(|_| !has_splits)?.id)?;
    let inner = entries.iter().map(|entry| first_folder(entry.id.split_once('/')?.1));
    let inner: Option<BTreeSet<&str>> = inner.collect();
    inner.filter(|inner| inner.len() > 1).map(|inner| (folder, inner.into_iter().collect()))
}

/// The folder of an image that lies `depth` below the root.
fn upper_folder(id: &str, depth: usize) -> Option<&str> {
    id.match_indices('/').nth(depth - 1).map(|(at, _)| &id[..at])
}

fn first_folder(id: &str) -> Option<&str> {
    id.split_once('/').map(|(folder, _)| folder)
}

/// Whether the first folders are splits.
fn has_split_folders(found: &[Found], options: &Options, root: &Path) -> Result<bool> {
    let is_class = |name: &str| options.classes.iter().any(|class| class.0 == name);
    let is_split = |first: &Option<&str>| first.is_some_and(|name| by_name(name).is_some() && !is_class(name));
    let firsts: BTreeSet<Option<&str>> = found.iter().map(|image| first_folder(&image.id)).collect();
    let (split_folders, others): (Vec<_>, Vec<_>) = firsts.into_iter().partition(is_split);
    match (split_folders.is_empty(), others.is_empty()) {
        (true, _) => no_splits_below(found, root).map(|()| false),
        (false, true) => Ok(true),
        (false, false) => {
            let text = |list: &[Option<&str>]| {
                names::some_of(&list.iter().map(|name| name.unwrap_or("(images in no folder)")).collect::<Vec<_>>())
            };
            Err(PluginError::data(format!(
                "{}: folders are named after splits, {}, but beside them lie {}. Move the others into `train` or away, \
                 or name the classes in dataset.options.classes when all folders are classes",
                root.display(),
                text(&split_folders),
                text(&others)
            )))
        }
    }
}

/// Refuses folders that are named after splits below other folders: a test split among them would be trained on.
fn no_splits_below(found: &[Found], root: &Path) -> Result<()> {
    let lower: BTreeSet<(&str, &str)> = found.iter().filter_map(|image| lower_split(&image.id)).collect();
    let Some((parent, _)) = lower.first() else { return Ok(()) };
    let folders: Vec<&str> = lower.iter().map(|(_, folder)| *folder).collect();
    let is_inside = |image: &Found| image.id.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
    let advice = match found.iter().all(is_inside) {
        true => format!("Set dataset.dataset_dir to {}", root.join(parent).display()),
        false => "Set dataset.dataset_dir to the folder that holds the splits (`train/cat`, not `cat/train`)".into(),
    };
    Err(PluginError::data(format!(
        "{}: folders named after splits lie below others: {}. {advice}, or rename them when they are no splits",
        root.display(),
        names::some_of(&folders)
    )))
}

/// The uppermost folder that is named after a split, after the folder that holds it; none where that is the root.
fn lower_split(id: &str) -> Option<(&str, &str)> {
    let slashes: Vec<usize> = id.match_indices('/').map(|(at, _)| at).collect();
    let named = slashes.windows(2).find(|pair| by_name(&id[pair[0] + 1..pair[1]]).is_some())?;
    Some((&id[..named[0]], &id[..named[1]]))
}
