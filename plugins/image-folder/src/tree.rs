//! Folders as labels: `class/…`, `train/class/…`, or images without labels.

use crate::catalogue::{Entry, Given};
use crate::file_index;
use crate::names;
use crate::options::Options;
use crate::splits;
use crate::values::plain;
use selfsame_plugin_api::{PluginError, Result, Services, Split};
use std::collections::BTreeSet;
use std::path::Path;

/// Reads the tree below `root`. Folders named after splits are splits when nothing else lies beside them; below them, or
/// below `root`, the first folder is the class, however deep its images lie. Images without any folder have no labels.
///
/// # Errors
/// No images, and trees that could be read in two ways.
pub fn read(root: &Path, options: &Options, services: &dyn Services) -> Result<(Vec<Entry>, Given)> {
    let found = file_index::images_below(root, services)?;
    if found.is_empty() {
        return Err(PluginError::data(format!(
            "{}: no images (PNG, JPEG, TIFF, WebP or BMP) in it or below; correct dataset.dataset_dir",
            root.display()
        )));
    }
    let has_splits = has_split_folders(found.iter().map(|image| image.id.as_str()), options, root)?;
    let mut loose = Vec::new();
    let mut entries = Vec::with_capacity(found.len());
    for image in found {
        let mut entry = Entry::new(image.id, image.path);
        let mut rest = entry.id.as_str();
        if let Some((folder, below)) = rest.split_once('/').filter(|_| has_splits) {
            entry.split = splits::by_name(folder).unwrap_or(Split::Train);
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
    let ambiguous = |what: String| {
        Err(PluginError::data(format!(
            "{}: {what}. Set dataset.options.unlabelled to true when folders are not classes, or correct the folders",
            root.display()
        )))
    };
    if !loose.is_empty() {
        let (images, folders) = (names::some_of(&loose), names::some_of(&classes));
        return ambiguous(format!("images lie beside class folders: images {images}; folders {folders}"));
    }
    if classes.len() == 1 && options.classes.is_empty() {
        return ambiguous(format!(
            "all images lie in one folder, {}, which would be the only class",
            names::some_of(&classes)
        ));
    }
    Ok((entries, Given::Class))
}

/// Whether the first folders are splits.
fn has_split_folders<'a>(ids: impl Iterator<Item = &'a str>, options: &Options, root: &Path) -> Result<bool> {
    let firsts: BTreeSet<Option<&str>> = ids.map(|id| id.split_once('/').map(|(folder, _)| folder)).collect();
    let is_class = |name: &str| options.classes.iter().any(|class| class.0 == name);
    let is_split = |first: &Option<&str>| first.is_some_and(|name| splits::by_name(name).is_some() && !is_class(name));
    if options.split_lists.is_some() {
        return Ok(false);
    }
    let (split_folders, others): (Vec<_>, Vec<_>) = firsts.into_iter().partition(is_split);
    let has_train = split_folders.iter().flatten().any(|name| splits::by_name(name) == Some(Split::Train));
    match (split_folders.is_empty(), others.is_empty()) {
        (true, _) => Ok(false),
        (false, true) => Ok(true),
        (false, false) if !has_train && split_folders.len() == 1 => Ok(false),
        (false, false) => {
            let text = |list: &[Option<&str>]| {
                names::some_of(&list.iter().map(|name| name.unwrap_or("(images in no folder)")).collect::<Vec<_>>())
            };
            Err(PluginError::data(format!(
                "{}: the folders {} are named after splits, but beside them lie {}. Move the others away, or name the \
                 classes in dataset.options.classes when all folders are classes",
                root.display(),
                text(&split_folders),
                text(&others)
            )))
        }
    }
}
