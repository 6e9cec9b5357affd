//! The splits of a data set. Training and evaluation both open them here, so that they mean the same samples.

use super::{cache, requests};
use crate::config::Config;
use crate::data::flat;
use crate::data::{Damaged, DataError, Loader, Source, loader, split};
use crate::error::Error;
use crate::machine;
use crate::plugin::Registry;
use crate::random;
use crate::storage::sha256_of_bytes;
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Samples, Services, Split, Targets};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tch::Device;

/// A data set whose files are ready.
pub struct Splits<'a> {
    config: &'a Config,
    workers: Option<usize>,
    services: &'a dyn Services,
    card: Card,
    dataset: Box<dyn Dataset>,
    /// The publisher's training split and its cut, once opened.
    train: OnceCell<(Arc<dyn Samples>, split::Parts)>,
}

/// One split before its pixels are read.
pub struct Part {
    /// Which one it is.
    pub split: Split,
    samples: Arc<dyn Samples>,
    /// The publisher's split that the samples are from.
    published: Split,
    indices: Vec<usize>,
    /// How many there are without `data.limit`.
    available: usize,
}

impl<'a> Splits<'a> {
    /// Makes the files of a data set ready. `workers` threads read its samples; none: one for each core.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn prepare(
        config: &'a Config,
        request: &DatasetRequest,
        workers: Option<usize>,
        registry: &Registry,
        services: &'a dyn Services,
    ) -> Result<Self, Error> {
        let (card, dataset) = requests::prepare(request, registry, services)?;
        Ok(Self { config, workers, services, card, dataset, train: OnceCell::new() })
    }

    /// Facts about the data set.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The facts alone.
    pub fn into_card(self) -> Card {
        self.card
    }

    /// The split that is scored when none is named: test, or validation where there is no test split.
    pub fn default_scored(&self) -> Split {
        if self.card.splits.contains(&Split::Test) { Split::Test } else { Split::Val }
    }

    /// Whether nothing of the training split is held out (`data.val_fraction: 0`).
    pub fn trains_on_everything(&self) -> bool {
        self.config.data.val_fraction == 0.0
    }

    /// The splits that there are.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn existing(&self) -> Result<Vec<Split>, Error> {
        let own = |split| self.card.splits.contains(&split);
        let val = own(Split::Val) || !self.train()?.1.val.is_empty();
        let splits = [(Split::Train, true), (Split::Val, val), (Split::Test, own(Split::Test))];
        Ok(splits.into_iter().filter_map(|(split, exists)| exists.then_some(split)).collect())
    }

    /// Opens a split, in seeded order and within `data.limit`. Validation is the publisher's own split, or
    /// what the seed cuts from the publisher's training split (`data.val_fraction`).
    ///
    /// # Errors
    /// A split that does not exist or is empty; what the plugin says.
    pub fn open(&self, split: Split) -> Result<Part, Error> {
        let (existing, name) = (self.existing()?, split.name());
        if !existing.contains(&split) {
            return Err(Error::configuration(format!(
                "data set {} has no {name} split for this run; it has: {}",
                self.card.name,
                existing.into_iter().map(Split::name).collect::<Vec<_>>().join(", ")
            )));
        }
        let limit = &self.config.data.limit;
        let (published, limit) = match split {
            Split::Train => (Split::Train, limit.train),
            Split::Val if self.card.splits.contains(&Split::Val) => (Split::Val, limit.val),
            Split::Val => (Split::Train, limit.val),
            Split::Test => (Split::Test, limit.test),
        };
        let (samples, indices) = if published == Split::Train {
            let opened = self.train()?;
            let part = if split == Split::Train { &opened.1.train } else { &opened.1.val };
            (Arc::clone(&opened.0), part.clone())
        } else {
            let samples = self.samples(published)?;
            let shuffled = random::permutation(samples.len(), self.config.train.seed, name, &[]);
            (samples, shuffled)
        };
        let available = indices.len();
        let indices = split::limited(indices, limit);
        if indices.is_empty() {
            return Err(Error::data(format!("the {name} split of data set {} has no samples", self.card.name)));
        }
        Ok(Part { split, samples, published, indices, available })
    }

    fn samples(&self, split: Split) -> Result<Arc<dyn Samples>, Error> {
        let name = &self.card.name;
        self.services
            .items(&format!("opening {name} {}", split.name()), 0, None)
            .map_err(|error| DataError::cancelled(name, error))?;
        Ok(self.dataset.open(split).map(Arc::from)?)
    }

    /// The publisher's training split, and what of it is learned from and what is held out.
    fn train(&self) -> Result<&(Arc<dyn Samples>, split::Parts), Error> {
        if let Some(train) = self.train.get() {
            return Ok(train);
        }
        let samples = self.samples(Split::Train)?;
        let own_val = self.card.splits.contains(&Split::Val);
        let fraction = if own_val { 0.0 } else { self.config.data.val_fraction };
        let (targets, groups) = (samples.targets(), samples.groups());
        let parts = split::cut(samples.len(), &targets, groups.as_deref(), fraction, self.config.train.seed);
        if fraction > 0.0 && parts.val.is_empty() {
            self.warn_without_val(samples.len(), groups.as_deref(), fraction);
        }
        Ok(self.train.get_or_init(|| (samples, parts)))
    }

    /// SHA-256 of which samples there are to learn from and how they are cut: ids, labels and groups of the publisher's
    /// training split, and the indices of both parts. Files that moved as a whole keep it.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn digest(&self) -> Result<String, Error> {
        let (samples, parts) = self.train()?;
        let labels = match samples.targets() {
            Targets::None => serde_json::Value::Null,
            Targets::Classes(classes) => classes.into(),
            Targets::Multilabel(flags) => flags.into(),
        };
        let facts = serde_json::json!([samples.len(), samples.ids(), labels, samples.groups(), parts.train, parts.val]);
        Ok(sha256_of_bytes(facts.to_string().as_bytes()))
    }

    fn warn_without_val(&self, samples: usize, groups: Option<&[String]>, fraction: f64) {
        let mut sizes = BTreeMap::new();
        groups.into_iter().flatten().for_each(|group| *sizes.entry(group).or_insert(0) += 1);
        let largest = sizes.iter().max_by_key(|(_, size)| **size);
        let reason = match largest {
            Some((group, size)) => {
                format!("{samples} samples in {} groups, the largest (`{group}`) of {size}", sizes.len())
            }
            None => format!("{samples} samples"),
        };
        tracing::warn!(
            "data set {}: `data.val_fraction` = {fraction} holds out nothing of {reason}; training goes on without \
             validation scores",
            self.card.name
        );
    }

    /// Reads a part's pixels and labels. Samples that a run `skipped` before, and those that cannot be read and are to be
    /// skipped, leave the part.
    ///
    /// # Errors
    /// Samples that cannot be read.
    pub fn read(&self, part: &mut Part, device: Device, skipped: &[Damaged]) -> Result<Source, Error> {
        let source = self.loader(device)?.load(part.published, &part.samples, &part.indices, skipped)?;
        let samples = part.samples.as_ref();
        if let Some(warning) = flat::describe(&self.card.name, part.split, source.flat(), source.len(), samples) {
            tracing::warn!("{warning}");
        }
        part.indices.retain(|index| source.damaged().iter().all(|damaged| damaged.index != *index));
        Ok(source)
    }

    fn loader(&self, device: Device) -> Result<Loader<'_>, Error> {
        Ok(Loader {
            card: &self.card,
            side: loader::store_side(self.config, &self.card),
            cache_dir: cache::packed_dir(self.config)?,
            place: self.config.data.cache,
            device,
            on_error: self.config.data.on_error,
            workers: workers(self.workers),
            services: self.services,
        })
    }
}

/// Threads that read samples: one for each core of this process unless configured.
pub fn workers(configured: Option<usize>) -> usize {
    configured.unwrap_or_else(machine::reading_threads)
}

impl Part {
    /// Number of samples.
    #[expect(clippy::len_without_is_empty, reason = "a part without samples is refused when it is opened")]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Number of samples without `data.limit`.
    pub fn available(&self) -> usize {
        self.available
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
