//! What a folder holds of DICOM images, and which options suit it.

use crate::folder::DicomFolder;
use crate::found::Found;
use crate::header;
use crate::ids::Ids;
use crate::listing::{few, files};
use crate::opened::Opened;
use crate::options::{Folder, IdKind};
use crate::scan;
use selfsame_plugin_api::{Result, Services, Survey};
use selfsame_tables::guess::{self, Guess, counted};
use selfsame_tables::names;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Files whose attributes are counted, spread over the folder.
const LOOKED_AT: usize = 64;
/// Folders of fewer files take all frames of a file.
const FEW_FILES: usize = 1000;

/// The kinds of ids, in no order: a cell that names a file by any of them names it.
const KINDS: [IdKind; 5] = [IdKind::Path, IdKind::FileName, IdKind::FileStem, IdKind::Instance, IdKind::Patient];

/// Looks through `root`.
///
/// # Errors
/// Folders that cannot be read.
pub fn survey(root: &Path, services: &dyn Services) -> Result<Survey> {
    let paths = files(root, services)?.files;
    let what = format!("reading the headers of files in {}", root.display());
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    for (path, identity) in paths.iter().zip(scan::identities(&paths, &what, services)?) {
        let file = path.strip_prefix(root).unwrap_or(path).to_path_buf();
        match identity {
            Ok(Some(identity)) if identity.has_pixels => found.push(Found { file, identity }),
            Ok(_) => {}
            Err(why) => damaged.push(format!("{} {why}", path.display())),
        }
    }
    if found.is_empty() {
        return Ok(Survey::default());
    }
    let mut plain = Survey::of(found.len());
    if !damaged.is_empty() {
        let reason = format!("{} files have a damaged header", damaged.len());
        plain = plain.option("damaged", "skip", reason).note(format!("damaged headers: {}", few(&damaged)));
    }
    let frames: usize = found.iter().map(|file| file.identity.frames as usize).sum();
    if frames > found.len() && found.len() < FEW_FILES {
        plain.images = frames;
        plain = plain.option(
            "frames",
            "all",
            format!("{} files hold {frames} frames; all frames of a patient stay together", found.len()),
        );
    }
    let (colours, all) = colours(root, &found);
    if 2 * colours > all {
        plain = plain.option("color", "rgb", format!("{colours} of {all} files looked at are in colour"));
    }
    let ids = Ids::new(&found);
    let named = |cell: &str| {
        let kinds = KINDS.iter().map(|kind| ids.files(*kind, cell));
        kinds.filter(|files| !files.is_empty()).min_by_key(|files| files.len()).unwrap_or_default().to_vec()
    };
    if let Some(guess) = guess::list_of(root, &named) {
        match by_list(root, &guess, &plain, found.len(), services) {
            Ok(survey) if guess.says_something() => return Ok(survey),
            Ok(_) => plain = guess.note().into_iter().fold(plain, Survey::note),
            Err(why) => plain = plain.note(format!("{} is not used: {why}", names::shortened(&guess.file_name()))),
        }
    }
    Ok(by_folder(&found).into_iter().fold(plain, Survey::note))
}

/// The options for a list, which read the folder; its splits are left out where they cannot be used.
fn by_list(
    root: &Path,
    guess: &Guess,
    plain: &Survey,
    files: usize,
    services: &dyn Services,
) -> std::result::Result<Survey, String> {
    let survey = listed(guess, plain.clone(), files)?;
    let Err(why) = tried(root, &survey, services) else { return Ok(survey) };
    let Some(split) = &guess.split else { return Err(why.message) };
    let others = Guess { split: None, ..guess.clone() };
    let note = format!("the column `{split}` is not used, and a tenth of the patients is the test split: {why}");
    let survey = listed(&others, plain.clone(), files)?.note(note);
    tried(root, &survey, services).map(|()| survey).map_err(|_| why.message)
}

/// The options for a list, or why it is not used.
fn listed(guess: &Guess, survey: Survey, files: usize) -> std::result::Result<Survey, String> {
    let list = names::shortened(&guess.file_name());
    if guess.separator.is_some() {
        return Err("it has several labels in a cell, and DicomFolder takes one class an image".into());
    }
    let mut survey = guess.options(survey, "id_column");
    let (absent, unlisted) = (guess.rows.0 - guess.rows.1, files.saturating_sub(guess.files));
    let unlabelled = guess.unlabelled;
    let wrong =
        counted(&[(absent, "rows have no file"), (unlisted, "files have no row"), (unlabelled, "rows have no label")]);
    if !wrong.is_empty() {
        survey = survey.option("unmatched", "skip", wrong);
    }
    if !guess.labels.is_empty() {
        survey = survey.note(format!(
            "{list} has several columns of 0 and 1 ({}); name one of them in dataset.options.label_column",
            guess.labels.join(", ")
        ));
        return Ok(survey);
    }
    Ok(guess.note().into_iter().fold(survey, Survey::note))
}

/// Files in colour, of those of some that could be read.
fn colours(root: &Path, found: &[Found]) -> (usize, usize) {
    let count = found.len().min(LOOKED_AT);
    let (mut colours, mut all) = (0, 0);
    for place in 0..count {
        let path = root.join(&found[place * found.len() / count].file);
        let Ok(facts) = Opened::new(&path).and_then(|file| header::facts(file.attributes())) else { continue };
        all += 1;
        let photometric = facts.iter().find(|(name, _)| *name == "photometric interpretation");
        colours += usize::from(photometric.is_some_and(|(_, value)| !is_grey(value)));
    }
    (colours, all)
}

fn is_grey(photometric: &str) -> bool {
    photometric.starts_with("MONOCHROME") || photometric == "not stated"
}

/// Folders that look like classes, which are none here.
fn by_folder(found: &[Found]) -> Option<String> {
    let folders: Option<BTreeSet<_>> = found.iter().map(|file| file.file.parent()?.iter().next_back()).collect();
    let folders = folders.filter(|folders| (2..=20).contains(&folders.len()) && 3 * folders.len() <= found.len())?;
    let shown: Vec<_> = folders.iter().map(|folder| folder.to_string_lossy()).collect();
    Some(format!(
        "there are no labels: the folders {} are not read as classes; for labels, put a list with a row for each file into the \
         folder: labels.csv with the columns `path` (below the folder) and `label`",
        names::some_of(&shown)
    ))
}

/// Reads the folder with a survey's options.
///
/// # Errors
/// Why they do not do.
fn tried(root: &Path, survey: &Survey, services: &dyn Services) -> Result<()> {
    let options: Map<String, Value> =
        survey.options.iter().map(|option| (option.name.clone(), option.value.clone())).collect();
    DicomFolder::at(root.to_owned(), Folder::parse(&json!(options))?).look(services)
}
