//! All samples of the data set: found, labelled, split and grouped, without their pixels.

use crate::entry::{Entry, Given};
use crate::labels::{self, Labelling, Named};
use crate::options::Options;
use crate::{csv_list, groups, splits, tree};
use selfsame_plugin_api::{PluginError, Result, Services, Split};
use selfsame_tables::balance::oddities;
use std::path::Path;

/// The samples and what their labels mean.
#[derive(Debug)]
pub struct Catalogue {
    /// All samples of all splits, sorted by id.
    pub entries: Vec<Entry>,
    /// Task, classes, and a target for each entry.
    pub labelling: Labelling,
}

impl Catalogue {
    /// Looks at the folder as the options say.
    ///
    /// # Errors
    /// No or missing images, CSV files and lists that do not fit, labels that contradict each other.
    pub fn read(root: &Path, options: &Options, services: &dyn Services) -> Result<Self> {
        let (mut entries, given) = match &options.csv {
            Some(files) => csv_list::read(root, files, options, services)?,
            None => tree::read(root, options, services)?,
        };
        let source = options.source(root);
        let about = |error| named(error, &source);
        if let Some(lists) = &options.split_lists {
            splits::apply_lists(&mut entries, lists, root, options.missing)?;
        }
        if let Some(pattern) = &options.group_pattern {
            groups::by_pattern(&mut entries, &pattern.0).map_err(about)?;
        }
        groups::separate(&mut entries, options.group_overlap).map_err(about)?;
        if !entries.iter().any(|entry| entry.split == Split::Train) {
            let message = "no training image is left; check dataset.dataset_dir and dataset.options";
            return Err(named(PluginError::data(message), &source));
        }
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        let mut named = Named::new(options);
        if matches!(given, Given::Class | Given::Labels(None)) {
            named.unify_truths(&mut entries);
        }
        let labelling = labels::resolve(&entries, &given, &named).map_err(about)?;
        let catalogue = Self { entries, labelling };
        catalogue.warn_of_oddities(&source);
        Ok(catalogue)
    }

    /// Says what is odd about the classes and their images; `source` is where they are from.
    pub fn warn_of_oddities(&self, source: &str) {
        let targets = |split| (split, self.labelling.targets_at(&self.places(split)));
        let targets: Vec<_> = self.splits().into_iter().map(targets).collect();
        for oddity in oddities(&self.labelling.classes, &targets) {
            tracing::warn!("{source}: {oddity}");
        }
    }

    /// The splits that have samples, training first.
    pub fn splits(&self) -> Vec<Split> {
        let all = [Split::Train, Split::Val, Split::Test];
        all.into_iter().filter(|split| self.entries.iter().any(|entry| entry.split == *split)).collect()
    }

    /// Places of a split's entries.
    pub fn places(&self, split: Split) -> Vec<usize> {
        (0..self.entries.len()).filter(|&place| self.entries[place].split == split).collect()
    }
}

fn named(error: PluginError, source: &str) -> PluginError {
    PluginError { message: format!("{source}: {}", error.message), ..error }
}
