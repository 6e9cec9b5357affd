//! The data set: headers and labels are read when it is prepared, pixels when a split is opened.

use crate::part::{Labels, Part};
use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, InMemory, PluginError, Result, Samples, Services, Split, Targets,
};
use selfsame_tables::balance::oddities;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Files of one form.
pub trait Source: Send + Sync {
    /// A split without its pixels; none where there is no such split.
    ///
    /// # Errors
    /// Files that are missing or wrong, by name.
    fn part(&self, root: &Path, split: Split) -> Result<Option<Part>>;

    /// The values of all images of a split, little-endian, in the order of the file.
    ///
    /// # Errors
    /// As [`Source::part`].
    fn pixels(&self, root: &Path, split: Split) -> Result<Vec<u8>>;

    /// The file of a split, for messages.
    fn describe(&self, root: &Path, split: Split) -> String;
}

/// Arrays in a folder.
pub struct ArrayDataset<S> {
    root: PathBuf,
    card: Card,
    /// What the user calls them.
    classes: Vec<String>,
    source: S,
    parts: Mutex<Vec<(Split, Part)>>,
}

impl<S: Source> ArrayDataset<S> {
    /// In the folder that the request names.
    ///
    /// # Errors
    /// It names none.
    pub fn new(request: &DatasetRequest, card: Card, classes: Vec<String>, source: S) -> Result<Self> {
        let root = request.dataset_dir.clone().ok_or_else(|| {
            PluginError::configuration("set dataset.dataset_dir to the folder with your arrays; there is no download")
        })?;
        Ok(Self { root, card, classes, source, parts: Mutex::default() })
    }

    fn parts(&self) -> Vec<(Split, Part)> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Refuses splits that are not of one form.
    fn check(&self, split: Split, part: &Part, first: &Part) -> Result<()> {
        let wrong =
            |message: String| Err(PluginError::data(format!("{}: {message}", self.source.describe(&self.root, split))));
        if (part.shape, part.bit_depth) != (first.shape, first.bit_depth) {
            let of = |part: &Part| format!("{:?} with {} bits", part.shape, part.bit_depth);
            return wrong(format!("its images are {}, those of the training split {}", of(part), of(first)));
        }
        let Some(labels) = &part.labels else { return Ok(()) };
        let (needed, named) = (labels.classes(), self.classes.len());
        match (labels, &first.labels) {
            (Labels::Classes(_), Some(Labels::Flags(..))) | (Labels::Flags(..), Some(Labels::Classes(_))) => {
                wrong("its labels are of another form than those of the training split".into())
            }
            (Labels::Flags(..), Some(Labels::Flags(classes, _))) if *classes != needed => {
                wrong(format!("it has labels for {needed} classes, the training split for {classes}"))
            }
            (Labels::Flags(..), _) if named > 0 && named != needed => {
                wrong(format!("it has labels for {needed} classes, and `classes` names {named}"))
            }
            _ if named > 0 && needed > named => {
                wrong(format!("its labels go up to {}, and `classes` names {named}", needed - 1))
            }
            _ => Ok(()),
        }
    }
}

impl<S> ArrayDataset<S> {
    /// The classes' names, their numbers where none are given.
    fn names(&self, parts: &[(Split, Part)]) -> Vec<String> {
        let needed = parts.iter().filter_map(|(_, part)| Some(part.labels.as_ref()?.classes())).max().unwrap_or(0);
        match self.classes.is_empty() {
            true => (0..needed.max(2)).map(|class| class.to_string()).collect(),
            false => self.classes.clone(),
        }
    }

    /// Says what is odd about the classes and their images.
    fn warn_of_oddities(&self, parts: &[(Split, Part)]) {
        let targets = |(split, part): &(Split, Part)| Some((*split, part.labels.as_ref()?.targets()));
        let targets: Vec<_> = parts.iter().filter_map(targets).collect();
        if targets.is_empty() {
            return;
        }
        for oddity in oddities(&self.names(parts), &targets) {
            tracing::warn!("{}: {oddity}", self.root.display());
        }
    }
}

/// Groups that stand in more than one split, sorted.
fn shared_groups(parts: &[(Split, Part)]) -> BTreeSet<&String> {
    let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for (_, part) in parts {
        let own: BTreeSet<&String> = part.groups.iter().flatten().collect();
        shared.extend(own.intersection(&seen).copied());
        seen.extend(own);
    }
    shared
}

impl<S: Source> Dataset for ArrayDataset<S> {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        let mut parts: Vec<(Split, Part)> = Vec::new();
        for (done, split) in (0..).zip([Split::Train, Split::Val, Split::Test]) {
            services.items("reading arrays", done, Some(3))?;
            let Some(part) = self.source.part(&self.root, split)? else { continue };
            self.check(split, &part, parts.first().map_or(&part, |(_, first)| first))?;
            parts.push((split, part));
        }
        if parts.first().is_none_or(|(split, _)| *split != Split::Train) {
            let root = self.root.display();
            return Err(PluginError::data(format!("{root}: there is no training split; see dataset.options")));
        }
        let shared = shared_groups(&parts);
        if !shared.is_empty() {
            let (root, count) = (self.root.display(), shared.len());
            let shown: Vec<String> = shared.iter().take(5).map(|group| format!("`{group}`")).collect();
            return Err(PluginError::data(format!(
                "{root}: {count} groups (patients) stand in more than one split: {}; correct the splits",
                shown.join(", ")
            )));
        }
        self.warn_of_oddities(&parts);
        *self.parts.lock().unwrap_or_else(PoisonError::into_inner) = parts;
        Ok(())
    }

    fn card(&self) -> Result<Option<Card>> {
        let parts = self.parts();
        let Some((_, first)) = parts.first() else { return Ok(None) };
        let [channels, height, width] = first.shape;
        let splits: Vec<Split> = parts.iter().map(|(split, _)| *split).collect();
        let mut card = self.card.clone().images(channels, first.bit_depth, (height, width)).splits(splits);
        let labels = || parts.iter().filter_map(|(_, part)| part.labels.as_ref());
        if let Some(label) = labels().next() {
            card.classes = self.names(&parts);
            card.task = label.task(card.classes.len());
        }
        Ok(Some(card))
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let part = self.parts().into_iter().find_map(|(of, part)| (of == split).then_some(part));
        let part = part.ok_or_else(|| PluginError::data(format!("there is no split `{}`", split.name())))?;
        let pixels = part.planes(self.source.pixels(&self.root, split)?);
        let mut samples = InMemory::new(pixels, part.bit_depth, part.shape)?;
        samples = samples.with_targets(part.labels.as_ref().map_or(Targets::None, |labels| labels.targets()));
        if let Some(groups) = part.groups {
            samples = samples.with_groups(groups);
        }
        if let Some(ids) = part.ids {
            samples = samples.with_ids(ids);
        }
        Ok(Box::new(samples))
    }
}
