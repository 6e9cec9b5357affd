//! The splits of a labelled data set, as the run that is evaluated saw them.

use crate::config::Config;
use crate::data::{Source, split};
use crate::plugin::Registry;
use crate::random;
use crate::train::TrainError;
use crate::train::{run_data, session};
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Samples, Services, Split, Targets};
use std::sync::Arc;
use tch::Device;

/// A data set whose files are ready.
pub struct Splits<'a> {
    config: &'a Config,
    request: DatasetRequest,
    services: &'a dyn Services,
    card: Card,
    dataset: Box<dyn Dataset>,
}

/// One split before its pixels are read.
pub struct Part {
    /// `train`, `val` or `test`.
    pub name: &'static str,
    /// The publisher's split that the samples are from.
    samples: Arc<dyn Samples>,
    split: Split,
    indices: Vec<usize>,
}

impl<'a> Splits<'a> {
    /// Makes the configured data set's files ready.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn prepare(config: &'a Config, registry: &Registry, services: &'a dyn Services) -> Result<Self, TrainError> {
        let request = run_data::requests(config)?.0.remove(0);
        let (card, dataset) = session::prepare_dataset(&request, registry, services)?;
        Ok(Self { config, request, services, card, dataset })
    }

    /// Facts about the data set.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The split that is scored when none is named: test, or validation where there is no test split.
    pub fn default_scored(&self) -> &'static str {
        if self.card.splits.contains(&Split::Test) { "test" } else { "val" }
    }

    /// The names of the splits that there are.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = vec!["train"];
        if self.card.splits.contains(&Split::Val) || self.config.data.val_fraction > 0.0 {
            names.push("val");
        }
        if self.card.splits.contains(&Split::Test) {
            names.push("test");
        }
        names
    }

    /// Opens `train`, `val` or `test`: the samples that training saw under that name, in its order and within its
    /// limits. Validation is the publisher's, or what the run's seed cuts from the publisher's training split.
    ///
    /// # Errors
    /// A split that there is not; what the plugin says.
    pub fn open(&self, name: &str) -> Result<Part, TrainError> {
        let (seed, limit) = (self.config.train.seed, &self.config.data.limit);
        let own_val = self.card.splits.contains(&Split::Val);
        let shuffled = |samples: &dyn Samples, purpose: &str| random::permutation(samples.len(), seed, purpose, &[]);
        let cut = |samples: &dyn Samples| {
            let fraction = if own_val { 0.0 } else { self.config.data.val_fraction };
            split::cut(samples.len(), &samples.targets(), samples.groups().as_deref(), fraction, seed)
        };
        let open = |split| self.dataset.open(split).map(Arc::<dyn Samples>::from);
        let (name, split, samples, indices, limit) = match name {
            "train" => {
                let samples = open(Split::Train)?;
                let indices = cut(samples.as_ref()).train;
                ("train", Split::Train, samples, indices, limit.train)
            }
            "val" if own_val => {
                let samples = open(Split::Val)?;
                let indices = shuffled(samples.as_ref(), "val");
                ("val", Split::Val, samples, indices, limit.val)
            }
            "val" if self.config.data.val_fraction > 0.0 => {
                let samples = open(Split::Train)?;
                let indices = cut(samples.as_ref()).val;
                ("val", Split::Train, samples, indices, limit.val)
            }
            "test" if self.card.splits.contains(&Split::Test) => {
                let samples = open(Split::Test)?;
                let indices = shuffled(samples.as_ref(), "test");
                ("test", Split::Test, samples, indices, limit.test)
            }
            missing => {
                return Err(TrainError::configuration(format!(
                    "data set {} has no {missing} split for this run; it has: {}",
                    self.card.name,
                    self.names().join(", ")
                )));
            }
        };
        let indices = split::limited(indices, limit);
        if indices.is_empty() {
            return Err(TrainError::data(format!("the {name} split of data set {} has no samples", self.card.name)));
        }
        Ok(Part { name, samples, split, indices })
    }

    /// Reads a part's pixels and labels. Samples that cannot be read and are to be skipped leave the part.
    ///
    /// # Errors
    /// Samples that cannot be read.
    pub fn read(&self, part: &mut Part, device: Device) -> Result<Source, TrainError> {
        let workers = self.config.dataset.num_workers;
        let loader = session::loader(self.config, &self.request, workers, &self.card, self.services, device)?;
        let source = loader.load(part.split, &part.samples, &part.indices)?;
        part.indices.retain(|index| source.damaged().iter().all(|damaged| damaged.index != *index));
        Ok(source)
    }
}

impl Part {
    /// Number of samples.
    #[expect(clippy::len_without_is_empty, reason = "a part without samples is refused when it is opened")]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// The same samples in the publisher's order.
    pub fn sorted(mut self) -> Self {
        self.indices.sort_unstable();
        self
    }

    /// The samples' names: the data set's own ids, or their indices in the publisher's split.
    pub fn ids(&self) -> Vec<String> {
        let ids = self.samples.ids();
        let name = |&index: &usize| ids.as_ref().map_or_else(|| index.to_string(), |ids| ids[index].clone());
        self.indices.iter().map(name).collect()
    }

    /// The group (a patient's id) of each sample.
    pub fn groups(&self) -> Option<Vec<String>> {
        let groups = self.samples.groups()?;
        Some(self.indices.iter().map(|&index| groups[index].clone()).collect())
    }

    /// Labels of the samples; `classes` is the number of classes.
    pub fn targets(&self, classes: usize) -> Targets {
        match self.samples.targets() {
            Targets::None => Targets::None,
            Targets::Classes(all) => Targets::Classes(self.indices.iter().map(|&index| all[index]).collect()),
            Targets::Multilabel(all) => {
                let rows = self.indices.iter().flat_map(|&index| &all[index * classes..(index + 1) * classes]);
                Targets::Multilabel(rows.copied().collect())
            }
        }
    }
}
