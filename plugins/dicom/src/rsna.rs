//! The RSNA Pneumonia Detection Challenge as its users have it on disk.

use crate::cards::{self, DETAILED_CLASSES};
use crate::constant::Causes;
use crate::listing::{entries, few, unreadable};
use crate::opened::Last;
use crate::options::{Labels, Rsna};
use crate::samples::{Frames, Sample, is_test, targets};
use crate::table::{self, Column, Table, shown};
use crate::unmatched::{Unlabelled, unmatched};
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, PluginError, Result, Samples, Services, Split};
use selfsame_tables::balance::oddities;
use selfsame_tables::files::{advice, printable};
use selfsame_tables::labels::{is_missing, plain, truth_as_number};
use selfsame_tables::names;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

const LABELLED: &str = "dataset.csv";
const CHALLENGE: &str = "stage_2_train_labels.csv";
const DETAILED: &str = "stage_2_detailed_class_info.csv";
/// How labels of the other files may be written.
const BINARY: &str = "0 or 1, true or false";
const IMAGES: &str = "stage_2_train_images";
const TEST_IMAGES: &str = "stage_2_test_images";

/// The data set in one folder.
pub struct RsnaKaggle {
    root: Arc<PathBuf>,
    options: Rsna,
    samples: OnceLock<Vec<Sample>>,
}

impl RsnaKaggle {
    /// From a request.
    ///
    /// # Errors
    /// Options that are wrong, or no folder.
    pub fn new(request: &DatasetRequest) -> Result<Self> {
        let options = Rsna::parse(&request.options)?;
        let root = cards::need_folder(request, "the folder with the challenge's images and labels")?;
        Ok(Self { root: Arc::new(root), options, samples: OnceLock::new() })
    }

    /// Labels by subject, from whichever file is there.
    fn labels(&self) -> Result<(PathBuf, Subjects)> {
        let file = |name| Some(self.root.join(name)).filter(|path: &PathBuf| path.is_file());
        if self.options.labels == Labels::Detailed {
            let Some(path) = file(DETAILED) else {
                let message = format!("{}: option `labels` = `detailed` needs {DETAILED}", self.root.display());
                return Err(PluginError::data(message));
            };
            let table = table::read(&path, None, &[Column::Own("patientId"), Column::Own("class")])?;
            return Ok((path, by_subject(&table, detailed, &names::some_of(&DETAILED_CLASSES), same)?));
        }
        if let Some(path) = file(LABELLED) {
            let table = table::read(&path, None, &[Column::Own("subject"), Column::Own("label")])?;
            return Ok((path, by_subject(&table, binary, BINARY, same)?));
        }
        if let Some(path) = file(CHALLENGE) {
            let table = table::read(&path, None, &[Column::Own("patientId"), Column::Own("Target")])?;
            // One row for each box: a patient has an opacity when any row says so.
            return Ok((path, by_subject(&table, binary, BINARY, |one, other| Some(one.max(other)))?));
        }
        let advice = advice(&self.root, &[LABELLED, CHALLENGE].map(Path::new));
        let advice = advice.unwrap_or("set dataset.dataset_dir to the folder that holds one of them".into());
        Err(PluginError::data(format!(
            "{}: neither {LABELLED} (columns subject, label) nor {CHALLENGE} (patientId, Target) is there; {advice}",
            self.root.display()
        )))
    }

    /// Image by subject, relative to the root.
    fn images(&self) -> Result<BTreeMap<String, PathBuf>> {
        let named = self.root.join(IMAGES);
        if named.is_dir() {
            let images = images_in(&self.root, &named)?;
            if images.is_empty() {
                let message = format!("{} holds no .dcm file; the images belong into it, not deeper", named.display());
                return Err(PluginError::data(message));
            }
            return Ok(images);
        }
        let own = images_in(&self.root, &self.root)?;
        if !own.is_empty() {
            return Ok(own);
        }
        let mut found: Vec<(PathBuf, BTreeMap<String, PathBuf>)> = Vec::new();
        for folder in entries(&self.root)?.into_iter().filter(|path| path.is_dir() && !path.ends_with(TEST_IMAGES)) {
            let images = images_in(&self.root, &folder)?;
            if !images.is_empty() {
                found.push((folder, images));
            }
        }
        if found.len() > 1 {
            let folders: Vec<_> = found.iter().map(|(folder, _)| folder.display()).collect();
            let root = self.root.display();
            return Err(PluginError::data(format!(
                "{root}: several folders hold .dcm files: {}; name the right one {IMAGES}",
                few(&folders)
            )));
        }
        found.pop().map(|(_, images)| images).ok_or_else(|| {
            let root = self.root.display();
            PluginError::data(format!("{root}: no .dcm file is there, nor in {IMAGES} or another folder in it"))
        })
    }

    fn find(&self) -> Result<Vec<Sample>> {
        if !self.root.is_dir() {
            return Err(PluginError::data(format!("{} is not a folder; set dataset.dataset_dir", self.root.display())));
        }
        let (labels_file, Subjects { labels, without }) = self.labels()?;
        let mut images = self.images()?;
        let mut samples = Vec::new();
        let mut missing = Vec::new();
        let known: Vec<String> = images.keys().cloned().collect();
        for (subject, class) in labels {
            match images.remove(&subject) {
                Some(file) => {
                    samples.push(Sample { file, frame: 0, is_one_of_many: false, group: subject, class: Some(class) })
                }
                None => missing.push(subject),
            }
        }
        images.retain(|subject, _| !without.subjects.contains(subject));
        let rowless: Vec<_> = images.values().map(|file| printable(file)).collect();
        let known = known.iter().map(String::as_str);
        unmatched(labels_file.display(), &missing, known, &rowless, &without.rows, self.options.unmatched)?;
        if samples.is_empty() {
            let file = labels_file.display();
            return Err(PluginError::data(format!("{file}: no row has a file in {}", self.root.display())));
        }
        Ok(samples)
    }

    fn split(&self, samples: &[Sample], split: Split) -> Vec<Sample> {
        let is_wanted = |sample: &&Sample| is_test(&sample.group, self.options.test_fraction) == (split == Split::Test);
        samples.iter().filter(is_wanted).cloned().collect()
    }

    fn samples(&self) -> Result<&[Sample]> {
        if let Some(samples) = self.samples.get() {
            return Ok(samples);
        }
        let samples = self.find()?;
        Ok(self.samples.get_or_init(|| samples))
    }
}

fn images_in(root: &Path, folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut images = BTreeMap::new();
    for path in entries(folder)? {
        // A pipe would be waited for.
        let is_dicom = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("dcm")) && path.is_file();
        let (Some(subject), true) = (path.file_stem(), is_dicom) else { continue };
        let relative = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        if let Some(other) = images.insert(printable(Path::new(subject)), relative) {
            let (one, other) = (path.display(), other.display());
            return Err(PluginError::data(format!("{one} and {other} are the same subject; remove one")));
        }
    }
    Ok(images)
}

/// What a table says about its subjects.
struct Subjects {
    labels: BTreeMap<String, usize>,
    without: Unlabelled<String>,
}

/// One label for each subject; `expected` are the possible ones for a message, and `merge` says what several rows mean, none when they contradict each other.
fn by_subject(
    table: &Table,
    label: impl Fn(&str) -> Option<usize>,
    expected: &str,
    merge: impl Fn(usize, usize) -> Option<usize>,
) -> Result<Subjects> {
    let (mut labels, mut without) = (BTreeMap::new(), Unlabelled::default());
    for (line, values) in &table.rows {
        let [subject, text] = &values[..] else { continue };
        let is_file = |(_, ending): &(&str, &str)| ending.eq_ignore_ascii_case("dcm");
        let subject = subject.rsplit_once('.').filter(is_file).map_or(subject.as_str(), |(stem, _)| stem);
        if subject.is_empty() {
            return Err(table.wrong(*line, "the subject is empty"));
        }
        if is_missing(text) {
            without.add(*line, text, [subject.to_owned()]);
            continue;
        }
        let Some(class) = label(text) else {
            let message = format!("`{}` is not a label of this data set, expected {expected}", shown(text));
            return Err(table.wrong(*line, &message));
        };
        let merged = match labels.get(subject) {
            None => Some(class),
            Some(&earlier) => merge(earlier, class),
        };
        let Some(merged) = merged else {
            let message = format!("`{}` has another label than in an earlier row", shown(subject));
            return Err(table.wrong(*line, &message));
        };
        labels.insert(subject.to_owned(), merged);
    }
    Ok(Subjects { labels, without })
}

fn same(one: usize, other: usize) -> Option<usize> {
    (one == other).then_some(one)
}

fn binary(text: &str) -> Option<usize> {
    match truth_as_number(&plain(text)) {
        "0" => Some(0),
        "1" => Some(1),
        _ => None,
    }
}

fn detailed(text: &str) -> Option<usize> {
    DETAILED_CLASSES.iter().position(|class| class.eq_ignore_ascii_case(text))
}

impl Dataset for RsnaKaggle {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        services.progress(&format!("listing {}", self.root.display()), 0, None)?;
        let samples = self.samples()?;
        let classes = cards::rsna_found(&self.options, None).classes;
        let part = |split| (split, targets(&self.split(samples, split)));
        for oddity in oddities(&classes, &[Split::Train, Split::Test].map(part)) {
            tracing::warn!("{}: {oddity}", self.root.display());
        }
        tracing::info!("{}: {}", self.root.display(), names::count(samples.len(), "image"));
        Ok(())
    }

    fn card(&self) -> Result<Option<Card>> {
        let first = self.samples()?.first().map(|sample| self.root.join(&sample.file));
        Ok(Some(cards::rsna_found(&self.options, first.as_deref())))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        if split == Split::Val {
            return Err(PluginError::data("RSNAKaggle has no validation split of its own"));
        }
        let samples = self.split(self.samples()?, split);
        if let Some(sample) = samples.first() {
            let path = self.root.join(&sample.file);
            std::fs::File::open(&path).map_err(|error| unreadable(&path, &error))?;
        }
        Ok(Box::new(Frames {
            root: Arc::clone(&self.root),
            samples,
            look: self.options.look.clone(),
            last: Last::default(),
            constant: Causes::default(),
        }))
    }
}
