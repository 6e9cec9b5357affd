//! What a folder holds of images, and which options suit it.

use crate::catalogue::Catalogue;
use crate::file_index::{self, Found};
use crate::options::Options;
use regex::Regex;
use selfsame_plugin_api::{Result, Services, Survey};
use selfsame_tables::guess::{self, Guess, counted};
use selfsame_tables::names;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Patients as people write them into names of files and folders.
const PATIENT: &str = r"(?i-u:patient|person|subject|subj|sub|case)[-_ ]?\d+";
/// Where at least this share of the paths names a patient, patients are kept together.
const PATIENTS: f64 = 0.2;

/// Looks through `root`.
///
/// # Errors
/// Folders that cannot be read.
pub fn survey(root: &Path, services: &dyn Services) -> Result<Survey> {
    let images = file_index::below(root, services)?.images;
    if images.is_empty() {
        return Ok(Survey::default());
    }
    let mut notes = Vec::new();
    let named = Named::new(&images);
    if let Some(guess) = guess::list_of(root, &|cell| named.files(cell)) {
        let mut survey = listed(&guess, &images, named.bases());
        let has_both = guess.split.is_some() && guess.group.is_some();
        if has_both && tried(root, &survey, services).is_err() {
            let reason =
                "some patients stand in several splits: their images stay in test, before validation, before training";
            survey = survey.option("group_overlap", "skip", reason);
        }
        match tried(root, &survey, services) {
            Ok(()) if guess.says_something() => return Ok(survey),
            Ok(()) => notes.extend(guess.note()),
            Err(why) => notes.push(format!("{} is not used: {why}", names::shortened(&guess.file_name()))),
        }
    }
    // A tree that has one folder after the other before anything stands side by side begins where it branches.
    let (mut below, mut images) = branching(root, images);
    let mut survey = by_folders(&below, &images, services);
    while tried(&below, &survey, services).is_err()
        && let Some((folder, inner)) = largest(&below, &images)
    {
        let others = images.len() - inner.len();
        notes.push(format!(
            "the tree cannot be read as a whole: {others} images beside {} are left out",
            folder.display()
        ));
        (below, images) = branching(&folder, inner);
        survey = by_folders(&below, &images, services);
    }
    Ok(notes.into_iter().fold(survey.folder((below != root).then_some(below)), Survey::note))
}

/// The folder in `root` that holds the most images, and these by their paths in it; none where all lie in `root` itself.
fn largest(root: &Path, images: &[Found]) -> Option<(PathBuf, Vec<Found>)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (folder, _) in images.iter().filter_map(|image| image.id.split_once('/')) {
        *counts.entry(folder).or_default() += 1;
    }
    let (name, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let inner = images.iter().filter_map(|image| {
        let id = image.id.strip_prefix(name)?.strip_prefix('/')?.to_owned();
        Some(Found { id, path: image.path.clone() })
    });
    Some((root.join(name), inner.collect())).filter(|(folder, _)| folder.is_dir())
}

/// Images by what a cell of a list may call them: the path, the end of it, the file name, or that without its ending.
struct Named<'a> {
    images: &'a [Found],
    by_name: BTreeMap<String, Vec<usize>>,
    /// Folders in which paths begin that were asked for.
    bases: RefCell<BTreeSet<String>>,
}

impl<'a> Named<'a> {
    fn new(images: &'a [Found]) -> Self {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, image) in images.iter().enumerate() {
            let ends = image.id.match_indices('/').map(|(at, _)| &image.id[at + 1..]);
            let name = image.id.rsplit('/').next().unwrap_or(&image.id);
            let stem = name.rsplit_once('.').map(|(stem, _)| stem);
            let names: BTreeSet<&str> = std::iter::once(image.id.as_str()).chain(ends).chain(stem).collect();
            names.into_iter().for_each(|name| by_name.entry(name.to_owned()).or_default().push(number));
        }
        Self { images, by_name, bases: RefCell::default() }
    }

    /// None for a name that several have: such a list cannot be read.
    fn files(&self, cell: &str) -> Vec<usize> {
        let cell = cell.replace('\\', "/");
        let Some([file]) = self.by_name.get(&cell).map(Vec::as_slice) else { return Vec::new() };
        let base = self.images[*file].id.strip_suffix(&cell).and_then(|base| base.strip_suffix('/'));
        if let Some(base) = base.filter(|_| cell.contains('/')) {
            self.bases.borrow_mut().insert(base.to_owned());
        }
        vec![*file]
    }

    fn bases(&self) -> Vec<String> {
        self.bases.borrow().iter().cloned().collect()
    }
}

/// The options for a list.
fn listed(guess: &Guess, images: &[Found], bases: Vec<String>) -> Survey {
    let mut survey = guess.options(Survey::of(guess.files), "path_column");
    if !bases.is_empty() {
        survey = survey.option("folders", bases, "the folders in which its paths begin");
    }
    if let Some(mark) = guess.separator {
        survey = survey.option("label_separator", mark.to_string(), "an image may have several labels");
    }
    if let Some(word) = &guess.negative {
        survey = survey.option("negative_label", word.clone(), "the word for none of them");
    }
    if !guess.labels.is_empty() {
        survey = survey.option("label_columns", guess.labels.clone(), "columns of 0 and 1, a label each");
    }
    let absent = guess.rows.0 - guess.rows.1;
    let wrong = counted(&[(absent, "listed images are not there"), (guess.unlabelled, "rows have no label")]);
    if !wrong.is_empty() {
        survey = survey.option("missing", "skip", wrong);
    }
    let unlisted = images.len().saturating_sub(guess.files);
    if unlisted > 0 {
        survey =
            survey.note(format!("{unlisted} of {} images are in no row of the list and are not used", images.len()));
    }
    guess.note().into_iter().fold(survey, Survey::note)
}

/// The folder in which images lie side by side with others or below several folders, and the images by their paths in it.
fn branching(root: &Path, images: Vec<Found>) -> (PathBuf, Vec<Found>) {
    let (mut folder, mut images) = (root.to_owned(), images);
    loop {
        let firsts: BTreeSet<Option<&str>> = images.iter().map(|image| Some(image.id.split_once('/')?.0)).collect();
        let Some(&Some(only)) = firsts.first().filter(|_| firsts.len() == 1) else { return (folder, images) };
        // A name with bytes that are no UTF-8 is not the folder's own.
        let inner = folder.join(only);
        if !inner.is_dir() {
            return (folder, images);
        }
        let skipped = only.len() + 1;
        images.iter_mut().for_each(|image| image.id = image.id[skipped..].to_owned());
        folder = inner;
    }
}

/// The options for a tree: folders are classes where they can be.
fn by_folders(root: &Path, images: &[Found], services: &dyn Services) -> Survey {
    let survey = Survey::of(images.len());
    let mut survey = match tried(root, &survey, services) {
        Ok(()) => survey,
        Err(why) => {
            let reason = "the folders cannot be told to be classes, so that there are no labels";
            survey.option("unlabelled", true, reason).note(format!("folders are not taken for classes: {why}"))
        }
    };
    for (pattern, what) in patients(images) {
        let reason = format!("{what}: images of one patient never stand on both sides of a split");
        let with_patients = survey.clone().option("group_pattern", pattern, reason);
        // Where the splits that are there have patients in common, these names mean something else in each.
        if tried(root, &with_patients, services).is_ok() {
            survey = with_patients;
            break;
        }
    }
    survey
}

/// Patterns that find patients in paths, the best one first, each with what it finds in words; a path without any is a patient
/// of its own.
fn patients(images: &[Found]) -> Vec<(String, String)> {
    let Ok(pattern) = Regex::new(PATIENT) else { return Vec::new() };
    let found: Vec<&str> = images.iter().filter_map(|image| Some(pattern.find(&image.id)?.as_str())).collect();
    let different = found.iter().collect::<BTreeSet<_>>().len();
    if (found.len() as f64) < PATIENTS * images.len() as f64 || different == found.len() || different < 2 {
        return Vec::new();
    }
    let what = format!("`{}` in {} of {} paths looks like a patient", found[0], found.len(), images.len());
    vec![(format!("^.*?({PATIENT})|.+"), what.clone()), (format!("^.*?{PATIENT}|.+"), format!("{what} of its folder"))]
}

/// Reads the folder with a survey's options.
///
/// # Errors
/// Why they do not do.
fn tried(root: &Path, survey: &Survey, services: &dyn Services) -> Result<()> {
    let options: Map<String, Value> =
        survey.options.iter().map(|option| (option.name.clone(), option.value.clone())).collect();
    let options = Options::parse(&json!(options))?;
    Catalogue::read(root, &options, services).map(drop)
}
