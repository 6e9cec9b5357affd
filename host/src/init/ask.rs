//! Which data set reads the folder.

use crate::error::Error;
use crate::plugin::Registry;
use crate::samples::request_of;
use selfsame_plugin_api::{DatasetRequest, Services, Survey};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// A data set that reads the folder, and how.
#[derive(Debug)]
pub struct Asked {
    /// The folder that was asked about.
    pub folder: PathBuf,
    /// The data set's name.
    pub name: String,
    /// What it says of the folder.
    pub survey: Survey,
    /// Images that others would read there, by their names.
    pub others: Vec<(String, usize)>,
}

impl Asked {
    /// The folder to read.
    pub fn root(&self) -> &Path {
        self.survey.folder.as_deref().unwrap_or(&self.folder)
    }

    /// The options to read it with.
    pub fn options(&self) -> Map<String, Value> {
        self.survey.options.iter().map(|option| (option.name.clone(), option.value.clone())).collect()
    }

    /// The data set with these options.
    pub fn request(&self) -> Result<DatasetRequest, Error> {
        request_of(&self.name, Some(self.root()), &self.options())
    }
}

/// Asks every data set that surveys folders, and takes the one that finds the most images.
///
/// # Errors
/// A folder that cannot be read or is empty, and one in which none finds an image.
pub fn ask(folder: &Path, registry: &Registry, services: &dyn Services) -> Result<Asked, Error> {
    ensure_readable(folder)?;
    let names = registry.surveying();
    let mut surveys: Vec<(String, Survey)> = Vec::new();
    for name in &names {
        let survey = registry.survey(&request_of(name, Some(folder), &Map::new())?, services)?;
        surveys.extend(survey.map(|survey| (name.clone(), survey)));
    }
    surveys.retain(|(_, survey)| survey.images > 0);
    surveys.sort_by_key(|(_, survey)| std::cmp::Reverse(survey.images));
    let mut surveys = surveys.into_iter();
    let Some((name, survey)) = surveys.next() else {
        return Err(Error::data(match names.as_slice() {
            [] => "no plugin that reads folders of images was found; `selfsame plugins list` shows the plugins and where they \
                   are looked for"
                .to_owned(),
            names => format!(
                "{} holds no image that {} can read; name a folder with DICOM, PNG, JPEG, TIFF, WebP, BMP or NumPy files. Other formats \
                 need a plugin (`selfsame plugins new`)",
                folder.display(),
                names.join(" or ")
            ),
        }));
    };
    let others = surveys.map(|(name, survey)| (name, survey.images)).collect();
    Ok(Asked { folder: folder.to_owned(), name, survey, others })
}

/// Names what is wrong with the folder before anything is asked.
fn ensure_readable(folder: &Path) -> Result<(), Error> {
    let shown = folder.display();
    if !folder.exists() {
        return Err(Error::data(format!("{shown}: there is no such folder")));
    }
    if !folder.is_dir() {
        return Err(Error::data(format!("{shown} is a file; name the folder that holds the images")));
    }
    let mut entries = fs::read_dir(folder).map_err(|error| {
        Error::data(format!("{shown} cannot be read: {error}; ask its owner for the right to read it"))
    })?;
    match entries.next() {
        Some(_) => Ok(()),
        None => Err(Error::data(format!("{shown} is empty; name the folder that holds the images"))),
    }
}
