//! One data set of a run, read.

use super::requests::label;
use super::skipped::Skipped;
use super::splits::Splits;
use crate::data::{Size, Source};
use crate::error::Error;
use selfsame_plugin_api::{Card, DatasetRequest, Split};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tch::Device;

/// One data set of a run.
pub struct Data {
    /// Facts about the data set.
    pub card: Card,
    /// Its folder, where one is configured.
    pub folder: Option<PathBuf>,
    /// Its name, with the folder where one is configured, for messages.
    pub label: String,
    /// What is learned from.
    pub train: Source,
    /// What is scored between epochs, and which split it is; none when everything is trained on.
    pub val: Option<Source>,
    /// The publisher's test split; loaded only when everything else is trained on (`data.val_fraction: 0`).
    pub test: Option<Source>,
    /// What [`Splits::digest`] returns.
    pub samples_sha256: String,
    /// Samples of each split that was read, as it would be without `data.limit`.
    pub available: Vec<(Split, usize)>,
    /// How long reading the pixels took.
    pub reading: Duration,
}

impl Data {
    /// Reads the splits that a run needs, without the samples that it `skipped` before it was interrupted, by split.
    ///
    /// # Errors
    /// What the plugin says, and a training split without samples.
    pub(super) fn read(
        splits: Splits,
        request: &DatasetRequest,
        device: Device,
        skipped: &Skipped,
    ) -> Result<Self, Error> {
        let existing = splits.existing()?;
        let (mut available, mut reading) = (Vec::new(), Duration::ZERO);
        let mut read = |split: Split| {
            let skipped = skipped.get(split.name()).map_or(&[][..], Vec::as_slice);
            let mut part = splits.open(split)?;
            available.push((split, part.available()));
            let started = Instant::now();
            let source = splits.read(&mut part, device, skipped)?;
            reading += started.elapsed();
            Ok::<_, Error>(source)
        };
        let train = read(Split::Train)?;
        let mut read_if = |wanted: bool, split| (wanted && existing.contains(&split)).then(|| read(split)).transpose();
        let val = read_if(true, Split::Val)?;
        let test = read_if(val.is_none() && splits.trains_on_everything(), Split::Test)?;
        let samples_sha256 = splits.digest()?;
        let folder = request.dataset_dir.clone();
        let (card, label) = (splits.into_card(), label(request));
        Ok(Self { card, label, folder, train, val, test, samples_sha256, available, reading })
    }

    /// The split that is scored: validation, or test where everything else is trained on.
    pub fn scored(&self) -> Option<(Split, &Source)> {
        let val = self.val.as_ref().map(|val| (Split::Val, val));
        val.or_else(|| self.test.as_ref().map(|test| (Split::Test, test)))
    }

    /// The samples that cannot be read and are skipped, by split.
    pub fn skipped(&self) -> Skipped {
        let parts =
            [(Split::Train, Some(&self.train)), (Split::Val, self.val.as_ref()), (Split::Test, self.test.as_ref())];
        let damaged =
            |(split, part): (Split, Option<&Source>)| Some((split.name().to_owned(), part?.damaged().to_vec()));
        let listed = parts.into_iter().filter_map(damaged);
        listed.filter(|(_, damaged)| !damaged.is_empty()).collect()
    }

    /// Samples of a split without `data.limit`; 0 where it was not read.
    pub fn available(&self, split: Split) -> usize {
        self.available.iter().find(|(own, _)| *own == split).map_or(0, |(_, count)| *count)
    }

    /// The size of the images; where they differ, what the data set calls its usual size.
    pub fn nominal_size(&self) -> Size {
        if self.train.is_uniform() { self.train.image_size() } else { Size::nominal(&self.card) }
    }
}
