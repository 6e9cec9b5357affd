//! The data set: looked at when it is prepared, opened split by split.

use crate::card;
use crate::catalogue::Catalogue;
use crate::form;
use crate::options::Options;
use crate::samples::FolderSamples;
use crate::survey;
use selfsame_plugin_api::images::Form;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, PluginError, Result, Samples, Services, Split, Survey};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A folder of images.
pub struct ImageFolder {
    name: String,
    root: PathBuf,
    options: Options,
    contents: Mutex<Option<Arc<Contents>>>,
}

/// What looking at the folder found.
struct Contents {
    catalogue: Catalogue,
    form: Form,
    nominal_size: (usize, usize),
}

impl ImageFolder {
    /// From a request.
    ///
    /// # Errors
    /// No `dataset.dataset_dir`, or options that are wrong.
    pub fn new(request: &DatasetRequest) -> Result<Self> {
        let options = Options::parse(&request.options)?;
        let root = request.dataset_dir.clone().ok_or_else(|| {
            PluginError::configuration("set dataset.dataset_dir to the folder with your images; there is no download")
        })?;
        Ok(Self { name: request.name.clone(), root, options, contents: Mutex::default() })
    }

    fn contents(&self) -> Result<Arc<Contents>> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let unprepared = || PluginError::plugin("the folder has not been looked at; prepare the data set first");
        contents.clone().ok_or_else(unprepared)
    }
}

impl Dataset for ImageFolder {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        if !self.root.is_dir() {
            let message = "there is no such folder; correct dataset.dataset_dir";
            return Err(PluginError::data(format!("{}: {message}", self.root.display())));
        }
        let catalogue = Catalogue::read(&self.root, &self.options, services)?;
        let (form, nominal_size) = form::decide(&catalogue.entries, &self.options.of_pixels, services)?;
        let contents = Contents { catalogue, form, nominal_size };
        *self.contents.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(contents));
        Ok(())
    }

    fn survey(&self, services: &dyn Services) -> Result<Option<Survey>> {
        survey::survey(&self.root, services).map(Some)
    }

    fn card(&self) -> Result<Option<Card>> {
        let contents = self.contents()?;
        Ok(Some(card::after_reading(&self.name, &contents.catalogue, &contents.form, contents.nominal_size)))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let contents = self.contents()?;
        Ok(Box::new(FolderSamples::open(&contents.catalogue, contents.form.clone(), split)?))
    }
}
