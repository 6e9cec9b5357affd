//! Any folder of DICOM files.

use crate::cards;
use crate::constant::Causes;
use crate::found::{Found, contradictions};
use crate::labels::{self, Marks};
use crate::listing::{Listing, few, files};
use crate::opened::Last;
use crate::options::{Folder, Frames as Choice};
use crate::samples::{Frames, Sample, is_test, targets};
use crate::scan;
use crate::survey;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, PluginError, Result, Samples, Services, Split, Survey};
use selfsame_tables::balance::oddities;
use selfsame_tables::files::{LeftOut, printable};
use selfsame_tables::names::count;
use selfsame_tables::policy::Policy;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Test part where the options do not say, with labels.
const TEST_FRACTION: f64 = 0.1;

/// What the files without a patient's id are grouped by.
#[derive(Debug, Default)]
struct Nameless {
    study: usize,
    series: usize,
    file: usize,
}

impl Nameless {
    /// The group of one file: its patient, else its study, else its series, else itself.
    fn group(&mut self, found: &Found) -> String {
        let identity = &found.identity;
        match (&identity.patient, &identity.study, &identity.series) {
            (Some(patient), ..) => patient.clone(),
            (None, Some(study), _) => {
                self.study += 1;
                format!("study {study}")
            }
            (None, None, Some(series)) => {
                self.series += 1;
                format!("series {series}")
            }
            (None, None, None) => {
                self.file += 1;
                format!("file {}", found.name())
            }
        }
    }

    fn warn(&self) {
        let Self { study, series, file } = self;
        if study + series + file > 0 {
            tracing::warn!(
                "{} without a patient id, grouped by study: {study}, by series: {series}, a patient of its own each: {file}; \
                 dataset.options.group_column takes patients from the CSV",
                count(study + series + file, "file")
            );
        }
    }
}

/// What looking at the files found out.
struct Index {
    classes: Vec<String>,
    splits: Vec<Split>,
    samples: Vec<(Split, Sample)>,
}

/// The data set in one folder.
pub struct DicomFolder {
    root: Arc<PathBuf>,
    options: Folder,
    index: OnceLock<Index>,
}

impl DicomFolder {
    /// From a request.
    ///
    /// # Errors
    /// Options that are wrong, or no folder.
    pub fn new(request: &DatasetRequest) -> Result<Self> {
        let options = Folder::parse(&request.options)?;
        Ok(Self::at(cards::need_folder(request, "a folder with DICOM files")?, options))
    }

    /// In this folder.
    pub(crate) fn at(root: PathBuf, options: Folder) -> Self {
        Self { root: Arc::new(root), options, index: OnceLock::new() }
    }

    /// Reads all that there is but pixels, and keeps nothing.
    ///
    /// # Errors
    /// As [`Dataset::prepare`].
    pub(crate) fn look(&self, services: &dyn Services) -> Result<()> {
        self.build(services).map(drop)
    }

    /// Reads the headers of all files below the root.
    fn scan(&self, services: &dyn Services) -> Result<Vec<Found>> {
        if !self.root.is_dir() {
            return Err(PluginError::data(format!("{} is not a folder; set dataset.dataset_dir", self.root.display())));
        }
        let Listing { files: paths, others } = files(&self.root, services)?;
        let what = format!("reading the headers of files in {}", self.root.display());
        let (mut found, mut foreign, mut damaged, mut without) =
            (Vec::new(), LeftOut::default(), Vec::new(), Vec::new());
        for (path, identity) in paths.iter().zip(scan::identities(&paths, &what, services)?) {
            let relative = path.strip_prefix(&*self.root).unwrap_or(path).to_path_buf();
            match identity {
                Ok(Some(identity)) if identity.has_pixels => found.push(Found { file: relative, identity }),
                Ok(Some(_)) => without.push(printable(&relative)),
                Ok(None) => foreign.add(path),
                Err(why) => damaged.push(format!("{} {why}", path.display())),
            }
        }
        if !damaged.is_empty() {
            if self.options.damaged == Policy::Stop {
                let message = format!(
                    "{}: {}; remove them, or set dataset.options.damaged to skip",
                    count(damaged.len(), "damaged DICOM file"),
                    damaged.iter().take(5).cloned().collect::<Vec<_>>().join("; ")
                );
                return Err(PluginError::data(message));
            }
            tracing::warn!("damaged DICOM files, left out: {}", few(&damaged));
        }
        for message in contradictions(&found) {
            tracing::warn!("{}: {message}", self.root.display());
        }
        if !without.is_empty() {
            tracing::info!("DICOM files without pixels, left out: {}", few(&without));
        }
        let kinds = match (foreign.count(), others) {
            (0, 0) => String::new(),
            (_, 0) => format!(": {}", foreign.kinds()),
            (_, others) => format!(": {}, {others} pipes and devices", foreign.kinds()),
        };
        let has_archives = foreign.has_archives();
        let foreign = foreign.count() + others;
        let root = self.root.display();
        if found.is_empty() {
            let advice = if has_archives { "unpack the archives" } else { "correct dataset.dataset_dir" };
            let all = paths.len() + others;
            return Err(PluginError::data(format!(
                "{root}: none of {all} files is a DICOM image ({foreign} are not DICOM{kinds}; {} have no pixels, {} are \
                 damaged); {advice}",
                without.len(),
                damaged.len()
            )));
        }
        tracing::info!("{root}: {}, {}{kinds}", count(found.len(), "DICOM image"), count(foreign, "other file"));
        Ok(found)
    }

    fn build(&self, services: &dyn Services) -> Result<Index> {
        let found = self.scan(services)?;
        let csv = self.options.csv.as_ref().map(|csv| self.root.join(csv));
        let Some(csv) = csv else {
            let marks = found.iter().map(|_| Some(Marks::default())).collect();
            return self.arrange(found, Vec::new(), marks);
        };
        let (classes, marks) = labels::read(&csv, &self.options, &found)?;
        self.arrange(found, classes, marks)
    }

    /// Deals the files to splits; a file without marks is left out.
    fn arrange(&self, found: Vec<Found>, classes: Vec<String>, marks: Vec<Option<Marks>>) -> Result<Index> {
        let by_column = self.options.split_column.is_some();
        let default = if classes.is_empty() { 0.0 } else { TEST_FRACTION };
        let fraction = self.options.test_fraction.unwrap_or(default);
        let mut samples = Vec::new();
        let mut nameless = Nameless::default();
        for (found, marks) in found.into_iter().zip(marks) {
            let Some(marks) = marks else { continue };
            let group = marks.group.unwrap_or_else(|| nameless.group(&found));
            let frames = found.identity.frames;
            let split = match marks.split {
                Some(split) => split,
                None if is_test(&group, fraction) => Split::Test,
                None => Split::Train,
            };
            let chosen = match self.options.frames {
                Choice::Middle => frames / 2..frames / 2 + 1,
                Choice::All => 0..frames,
            };
            samples.extend(chosen.map(|frame| {
                let (file, group, class) = (found.file.clone(), group.clone(), marks.class);
                (split, Sample { file, frame, is_one_of_many: frames > 1, group, class })
            }));
        }
        nameless.warn();
        if by_column {
            labels::check_groups(samples.iter().map(|(split, sample)| (*split, sample.group.as_str())))?;
        }
        let all = [Split::Train, Split::Val, Split::Test];
        let has = |split: &Split| samples.iter().any(|(own, _)| own == split);
        let splits: Vec<_> = all.into_iter().filter(has).collect();
        if !splits.contains(&Split::Train) {
            return Err(PluginError::data(format!("{}: no image is in the training split", self.root.display())));
        }
        let of_split =
            |split: Split| (split, targets(samples.iter().filter(|(own, _)| *own == split).map(|(_, sample)| sample)));
        for oddity in oddities(&classes, &splits.iter().map(|&split| of_split(split)).collect::<Vec<_>>()) {
            tracing::warn!("{}: {oddity}", self.root.display());
        }
        Ok(Index { classes, splits, samples })
    }

    fn index(&self) -> Result<&Index> {
        self.index.get().ok_or_else(|| PluginError::plugin("the data set was not prepared"))
    }
}

impl Dataset for DicomFolder {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        if self.index.get().is_none() {
            let index = self.build(services)?;
            self.index.get_or_init(|| index);
        }
        Ok(())
    }

    fn survey(&self, services: &dyn Services) -> Result<Option<Survey>> {
        survey::survey(&self.root, services).map(Some)
    }

    fn card(&self) -> Result<Option<Card>> {
        let index = self.index()?;
        let first = index.samples.first().map(|(_, sample)| self.root.join(&sample.file));
        Ok(Some(cards::folder_found(&index.classes, index.splits.clone(), &self.options.look, first.as_deref())))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let index = self.index()?;
        if !index.splits.contains(&split) {
            let names: Vec<_> = index.splits.iter().map(|split| split.name()).collect();
            let message = format!("no `{}` split; there are {}", split.name(), names.join(", "));
            return Err(PluginError::data(message));
        }
        let own = index.samples.iter().filter(|(own, _)| *own == split).map(|(_, sample)| sample.clone());
        Ok(Box::new(Frames {
            root: Arc::clone(&self.root),
            samples: own.collect(),
            look: self.options.look.clone(),
            last: Last::default(),
            constant: Causes::default(),
        }))
    }
}
