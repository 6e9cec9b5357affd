//! The data set: footers, labels, splits and groups are read when it is prepared, images when they are asked for.

use super::columns::Table;
use super::found;
use super::options::Options;
use super::rows::Rows;
use super::samples::{ParquetSamples, Place, fingerprint};
use crate::catalogue::Catalogue;
use crate::entry::{Entry, Given};
use crate::flat::Flat;
use crate::form::{self, Looked, most_common};
use crate::labels::{self, Named};
use crate::{card, groups};
use selfsame_plugin_api::images::{self, Form, Kind};
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, PluginError, Result, Samples, Services, Split};
use selfsame_tables::files::printable;
use selfsame_tables::policy::Policy;
use selfsame_tables::splits;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Images that are looked at to decide their form.
const LOOKED_AT: usize = 64;

/// Parquet files in a folder.
pub struct Parquet {
    name: String,
    root: PathBuf,
    options: Options,
    contents: Mutex<Option<Arc<Contents>>>,
}

/// What looking at the files found.
struct Contents {
    files: Arc<Vec<Rows>>,
    catalogue: Catalogue,
    /// Where the image of an id is.
    places: HashMap<String, Place>,
    form: Form,
    nominal_size: (usize, usize),
}

impl Parquet {
    /// From a request.
    ///
    /// # Errors
    /// No `dataset.dataset_dir`.
    pub fn new(request: &DatasetRequest, options: Options) -> Result<Self> {
        let root = request.dataset_dir.clone().ok_or_else(|| {
            let message = "set dataset.dataset_dir to the folder with your Parquet files; there is no download";
            PluginError::configuration(message)
        })?;
        Ok(Self { name: request.name.clone(), root, options, contents: Mutex::default() })
    }

    fn contents(&self) -> Result<Arc<Contents>> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents
            .clone()
            .ok_or_else(|| PluginError::plugin("the files have not been looked at; prepare the data set first"))
    }

    fn look(&self, services: &dyn Services) -> Result<Contents> {
        let found = found::files(&self.root, &self.options)?;
        let (mut files, mut entries, mut places) = (Vec::new(), Vec::new(), HashMap::new());
        let mut given = Given::Nothing;
        let mut class_names = None;
        for (file, (split, path)) in found.iter().enumerate() {
            services.items("Parquet files", file as u64, Some(found.len() as u64))?;
            let table = Table::open(path)?;
            let images = table.images(&self.options.image_column)?;
            let label = self.options.label_column.as_deref().unwrap_or("label");
            let labels = match self.options.label_column {
                None if table.find(label).is_none() => None,
                _ => Some(table.texts(table.column(label, "label_column")?, label)?),
            };
            let text = |name: &Option<String>, option: &str| match name {
                Some(name) => table.texts(table.column(name, option)?, name).map(Some),
                None => Ok(None),
            };
            let split_cells = text(&self.options.split_column, "split_column")?;
            let group_cells = text(&self.options.group_column, "group_column")?;
            class_names = class_names.or_else(|| table.class_names(label));
            if labels.is_some() {
                given = Given::Class;
            }
            let rows = Rows::new(table, images);
            let shown = printable(path.strip_prefix(&self.root).unwrap_or(path));
            for row in 0..rows.len {
                let id = format!("{shown}#{row}");
                let lacking = |what: &str| PluginError::data(format!("{id} has no {what}"));
                let cell = |cells: &Option<Vec<Option<String>>>, what: &str| match cells {
                    Some(cells) => cells.get(row).cloned().flatten().map(Some).ok_or_else(|| lacking(what)),
                    None => Ok(None),
                };
                let mut entry = Entry::new(id.clone(), path.clone());
                entry.labels.extend(cell(&labels, "label")?);
                entry.group = cell(&group_cells, "group")?;
                entry.split = match cell(&split_cells, "split")? {
                    None => *split,
                    Some(word) => splits::by_name(&word).ok_or_else(|| {
                        PluginError::data(format!("{id} is of the split `{word}`, expected train, val or test"))
                    })?,
                };
                places.insert(id, Place { file, row });
                entries.push(entry);
            }
            files.push(rows);
        }
        self.name_classes(&mut entries, class_names.as_deref())?;
        groups::separate(&mut entries, Policy::Stop)?;
        if !entries.iter().any(|entry| entry.split == Split::Train) {
            return Err(PluginError::data(format!("{}: there is no training image", self.root.display())));
        }
        let classes = if self.options.classes.is_empty() {
            class_names.unwrap_or_default()
        } else {
            self.options.classes.clone()
        };
        let about = |error: PluginError| PluginError {
            message: format!("{}: {}", self.root.display(), error.message),
            ..error
        };
        let labelling = labels::resolve(&entries, &given, &Named::of_classes(classes)).map_err(about)?;
        let (form, nominal_size) = self.form(&files, services)?;
        let (files, catalogue) = (Arc::new(files), Catalogue { entries, labelling });
        catalogue.warn_of_oddities(&self.root.display().to_string());
        Ok(Contents { files, catalogue, places, form, nominal_size })
    }

    /// Puts names in the place of class numbers.
    fn name_classes(&self, entries: &mut [Entry], found: Option<&[String]>) -> Result<()> {
        let names = if self.options.classes.is_empty() { found.unwrap_or_default() } else { &self.options.classes };
        let is_name = |label: &String| names.contains(label);
        if names.is_empty() || entries.iter().flat_map(|entry| &entry.labels).all(is_name) {
            return Ok(());
        }
        for entry in entries {
            for label in &mut entry.labels {
                let name = label.parse::<usize>().ok().and_then(|number| names.get(number)).ok_or_else(|| {
                    let (id, count) = (&entry.id, names.len());
                    PluginError::data(format!("{id} is labelled `{label}`, which is none of the {count} classes"))
                })?;
                label.clone_from(name);
            }
        }
        Ok(())
    }

    /// The form of all images, from some of each file.
    fn form(&self, files: &[Rows], services: &dyn Services) -> Result<(Form, (usize, usize))> {
        let form = self.options.of_pixels.form()?;
        let mut looked: Vec<Looked> = Vec::new();
        let (mut is_coloured, mut failure, mut first, mut extents) = (false, None, None, Vec::new());
        for (done, file) in files.iter().enumerate() {
            services.items("looking at images", done as u64, Some(files.len() as u64))?;
            for row in 0..file.len.min(LOOKED_AT.div_ceil(files.len())) {
                // An image that cannot be read decides nothing; it fails where it is asked for.
                let id = format!("{}, row {row}", file.table.path.display());
                let about = |cause: String| format!("{id}: {cause}");
                let header = file.image(row).map_err(|error| error.message).and_then(|bytes| {
                    let header = images::header_bytes(&bytes, &form).map_err(about)?;
                    if header.kind == Kind::U16 {
                        extents.extend(images::extent_bytes(bytes.clone(), &form).ok().flatten());
                    }
                    is_coloured |= header.colours() == 3 && images::is_grey_bytes(bytes, &form) == Ok(false);
                    Ok(header)
                });
                match header {
                    Ok(header) => {
                        first = first.or(Some((file, row)));
                        looked.push(Looked { id, header });
                    }
                    Err(cause) => failure = failure.or(Some(cause)),
                }
            }
        }
        if let (true, Some(failure)) = (looked.is_empty(), failure) {
            return Err(PluginError::data(format!(
                "none of the images looked at can be read; the first one: {failure}"
            )));
        }
        if form.value_range.is_empty() {
            form::warn_of_dark(extents.into_iter());
        }
        // What the first one lacks, all lack.
        if let (Some((file, row)), true) = (first, form::all_need_a_range(&form, looked.iter()))
            && let Err(cause) = images::read_bytes(file.image(row)?, &form)
        {
            return Err(PluginError::data(format!("{}: {cause}", looked[0].id)));
        }
        let form = form::settled(form, &looked, is_coloured)?;
        Ok((form, most_common(looked.iter().map(|looked| looked.header.size))))
    }
}

impl Dataset for Parquet {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        let contents = self.look(services)?;
        *self.contents.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(contents));
        Ok(())
    }

    fn card(&self) -> Result<Option<Card>> {
        let Contents { catalogue, form, nominal_size, .. } = &*self.contents()?;
        let mut card = card::after_reading(&self.name, catalogue, form, *nominal_size);
        card.options = super::card(&self.name).options;
        Ok(Some(card))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let contents = self.contents()?;
        let chosen = contents.catalogue.places(split);
        let entries: Vec<&Entry> = chosen.iter().map(|&place| &contents.catalogue.entries[place]).collect();
        let places: Vec<_> = entries.iter().filter_map(|entry| contents.places.get(&entry.id).copied()).collect();
        Ok(Box::new(ParquetSamples {
            ids: entries.iter().map(|entry| entry.id.clone()).collect(),
            groups: entries.iter().map(|entry| entry.group.clone()).collect(),
            targets: contents.catalogue.labelling.targets_at(&chosen),
            fingerprint: fingerprint(&contents.files, &places, &contents.form, &self.options.image_column)?,
            form: contents.form.clone(),
            flat: Flat::default(),
            files: contents.files.clone(),
            places,
        }))
    }
}
