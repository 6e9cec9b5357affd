//! The samples of a run: what the encoder learns from, and what head and probes use.

use super::data_set::Data;
use super::requests;
use super::skipped::Skipped;
use super::splits::Splits;
use crate::config::Config;
use crate::data::mixture::{Mixture, Pick};
use crate::data::{MixedBatches, Size, Source};
use crate::error::Error;
use crate::plugin::Registry;
use crate::probe::caveats::{self, Labels};
use selfsame_plugin_api::{DatasetRequest, Normalization, Services, Split, Task};
use tch::Device;

/// All data sets of a run.
pub struct RunData {
    /// What the encoder learns from, the one of `dataset` first; never empty.
    pub encoder: Vec<Data>,
    /// How their training splits make up an epoch.
    pub mixture: Mixture,
    /// The head's own data set.
    pub head: Option<Data>,
}

impl RunData {
    /// The data set whose labels head and probes use: the head's own, else the first of the encoder's.
    pub fn probe_data(&self) -> &Data {
        self.head.as_ref().unwrap_or(&self.encoder[0])
    }

    /// Whether the head has batches of its own, rather than the encoder's features of the encoder's batches: with a data
    /// set of its own, and beside several mixed data sets, whose labels do not mean the same.
    pub fn head_draws_own_batches(&self) -> bool {
        self.head.is_some() || self.encoder.len() > 1
    }

    /// The names of the encoder's data sets, joined.
    pub fn encoder_name(&self) -> String {
        let names: Vec<_> = self.encoder.iter().map(|data| data.card.name.as_str()).collect();
        names.join(" + ")
    }

    /// What has to be known of the scores of head and probes before there are any.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn caveats(&self, config: &Config) -> Result<Vec<String>, Error> {
        let Data { card, train, .. } = self.probe_data();
        let labels = |(split, source): (Split, &Source)| Some((split, source.labels()?.shallow_clone()));
        let (Some((_, known)), Some((split, truth))) =
            (labels((Split::Train, train)), self.probe_data().scored().and_then(labels))
        else {
            return Ok(Vec::new());
        };
        let [train, scored] =
            [(Split::Train, &known), (split, &truth)].map(|(split, labels)| Labels { split, labels, groups: None });
        Ok(caveats::of_labels(card.task, &card.classes, Some(config.knn.k), train, scored)?)
    }

    /// The size of the encoder's images before `preprocess`.
    pub fn image_size(&self) -> Size {
        self.encoder[0].nominal_size()
    }

    /// Batches of the encoder's training images.
    pub fn train_batches(&self, plan: Vec<Vec<Pick>>, device: Device) -> MixedBatches<'_> {
        let sources: Vec<_> = self.encoder.iter().map(|data| Some(&data.train)).collect();
        MixedBatches::new(&sources, plan, device)
    }

    /// Sample id and size of each image of the batches that [`train_batches`](Self::train_batches) makes by this plan.
    pub fn train_images(&self, plan: &[Vec<Pick>]) -> Vec<Vec<(i64, Size)>> {
        let image = |pick: &Pick| {
            let source = &self.encoder[pick.set].train;
            (pick.sample_id(source.sample_id(pick.place)), source.size(pick.place))
        };
        plan.iter().map(|picks| picks.iter().map(image).collect()).collect()
    }

    /// The samples that cannot be read and are skipped, by data set (where there are several) and part.
    pub fn skipped(&self) -> Skipped {
        let several = self.encoder.len() + usize::from(self.head.is_some()) > 1;
        let named = |(index, data): (usize, &Data)| {
            let prefix = prefix(several, index, &data.card.name);
            data.skipped().into_iter().map(move |(part, list)| (format!("{prefix}{part}"), list))
        };
        self.encoder.iter().chain(&self.head).enumerate().flat_map(named).collect()
    }

    /// Images of an epoch with as many samples of each training split as `data.limit` of this configuration allows, whatever
    /// was read.
    pub fn epoch_len_of(&self, config: &Config) -> usize {
        let limit = config.data.limit.train.unwrap_or(usize::MAX);
        let sizes = self.encoder.iter().map(|data| data.available(Split::Train).min(limit)).collect();
        Mixture::new(sizes, weights(config).as_deref()).epoch_len()
    }

    /// Every validation image of the encoder's data sets once, in an order that mixes them.
    pub fn validation_picks(&self, seed: u64) -> Vec<Pick> {
        let sizes = self.encoder.iter().map(|data| data.val.as_ref().map_or(0, Source::len)).collect();
        Mixture::new(sizes, None).once(seed)
    }

    /// Batches of [`validation_picks`](Self::validation_picks).
    pub fn validation_batches(&self, plan: Vec<Vec<Pick>>, device: Device) -> MixedBatches<'_> {
        let sources: Vec<_> = self.encoder.iter().map(|data| data.val.as_ref()).collect();
        MixedBatches::new(&sources, plan, device)
    }

    /// Mean and standard deviation of each channel of the encoder's images: over all data sets by their shares of an
    /// epoch; none where one of them does not state its own.
    pub fn statistics(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        let statistics: Vec<_> =
            self.encoder.iter().map(|data| data.card.normalization.as_ref()).collect::<Option<_>>()?;
        pooled(&statistics, self.mixture.shares())
    }
}

/// What names the parts of one of several data sets.
fn prefix(several: bool, index: usize, name: &str) -> String {
    if several { format!("{index} {name} ") } else { String::new() }
}

/// Mean and standard deviation of the union: E[x] = Σ w·μ, Var[x] = Σ w·(σ² + μ²) − E[x]².
fn pooled(statistics: &[&Normalization], shares: &[usize]) -> Option<(Vec<f64>, Vec<f64>)> {
    if let [Normalization { mean, std }] = statistics {
        return Some((mean.clone(), std.clone()));
    }
    let total: usize = shares.iter().sum();
    let channels = statistics.first()?.mean.len();
    let average = |value: &dyn Fn(&Normalization) -> f64| -> f64 {
        let weighted = statistics.iter().zip(shares).map(|(one, &share)| value(one) * share as f64);
        weighted.sum::<f64>() / total as f64
    };
    let mean: Vec<f64> = (0..channels).map(|c| average(&|one| one.mean[c])).collect();
    let square = |c: usize| average(&|one| one.std[c].powi(2) + one.mean[c].powi(2));
    let std = mean.iter().enumerate().map(|(c, mean)| (square(c) - mean * mean).sqrt()).collect();
    Some((mean, std))
}

/// Opens every data set of the run and reads what it needs, without the samples that it `skipped` before it was
/// interrupted ([`RunData::skipped`]).
///
/// # Errors
/// What a plugin says; data sets that do not go together; splits that are too small for the configuration.
pub fn load(
    config: &Config,
    registry: &Registry,
    services: &dyn Services,
    device: Device,
    skipped: &Skipped,
) -> Result<RunData, Error> {
    let (requests, head) = requests::requests(config)?;
    let several = requests.len() + usize::from(head.is_some()) > 1;
    let open = |index: usize, request: &DatasetRequest, workers: Option<usize>| {
        let prefix = prefix(several, index, &request.name);
        let own =
            skipped.iter().filter_map(|(part, list)| Some((part.strip_prefix(&prefix)?.to_owned(), list.clone())));
        let splits = Splits::prepare(config, request, workers, registry, services)?;
        Data::read(splits, request, device, &own.collect())
    };
    let mut encoder = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let data = open(index, request, config.dataset.num_workers)?;
        if let Some(first) = encoder.first() {
            check_channels("dataset.mix", facts(&data), facts(first))?;
            check_sizes(facts(&data), facts(first), config.preprocess.resize)?;
        }
        encoder.push(data);
    }
    let mixture = mix(config, &encoder)?;
    if mixture.epoch_len() < config.train.batch_size {
        return Err(Error::configuration(format!(
            "`train.batch_size` is {}, but the training split has {} samples; lower the batch size or keep more samples \
             (`data.limit.train`, `data.val_fraction`)",
            config.train.batch_size,
            mixture.epoch_len()
        )));
    }
    let head = head.map(|request| open(encoder.len(), &request, config.linear_head.dataset.num_workers)).transpose()?;
    ensure_labels(config, &encoder, head.as_ref())?;
    Ok(RunData { encoder, mixture, head })
}

/// Refuses a data set named for its labels that has none, and says where labels are that nothing uses.
fn ensure_labels(config: &Config, encoder: &[Data], head: Option<&Data>) -> Result<(), Error> {
    let has_labels = |data: &Data| data.card.task != Task::None;
    let task = head.unwrap_or(&encoder[0]);
    if has_labels(task) {
        return Ok(());
    }
    if head.is_some() {
        return Err(Error::configuration(format!(
            "`linear_head.dataset.name` is {}, which has no labels here, so that nothing can be probed; name a labelled data \
             set, or leave the key out",
            task.label
        )));
    }
    if config.train.self_supervision.use_balanced_binary_loss_for_linear_head {
        return Err(Error::configuration(format!(
            "`train.self_supervision.use_balanced_binary_loss_for_linear_head` is true, and {} has no labels to balance; set \
             it to false, or name a labelled data set under `linear_head.dataset`",
            task.label
        )));
    }
    if let Some(other) = encoder.iter().skip(1).find(|data| has_labels(data)) {
        tracing::warn!(
            "{} has no labels, so nothing is probed; {} has some: name it under `linear_head.dataset`",
            task.label,
            other.label
        );
    }
    Ok(())
}

/// Name, channels and size of a data set's images.
pub(super) type Facts<'a> = (&'a str, usize, Size);

pub(super) fn facts(data: &Data) -> Facts<'_> {
    (&data.label, data.card.channels, data.nominal_size())
}

/// Refuses a data set, the value of `key`, whose images have another number of channels than the encoder's first.
pub(super) fn check_channels(key: &str, (name, channels, _): Facts, (first, expected, _): Facts) -> Result<(), Error> {
    if channels == expected {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "`{key}`: the images of {name} have {channels} channels, those of {first} {expected}, and the encoder takes one \
         number only; choose data sets that agree"
    )))
}

/// Refuses to mix images of different sizes that nothing brings together.
fn check_sizes(other: Facts, first: Facts, resize: Option<usize>) -> Result<(), Error> {
    let ((other, _, other_size), (first, _, size)) = (other, first);
    if size == other_size || resize.is_some() {
        return Ok(());
    }
    Err(Error::configuration(format!(
        "`dataset.mix`: the images of {other} have {other_size} pixels, those of {first} {size}; \
         set `preprocess.resize` to bring them to one size"
    )))
}

/// Of the encoder's data sets; none: each image once.
fn weights(config: &Config) -> Option<Vec<f64>> {
    std::iter::once(config.dataset.weight).chain(config.dataset.mix.iter().map(|set| set.weight)).collect()
}

fn mix(config: &Config, encoder: &[Data]) -> Result<Mixture, Error> {
    let weights = weights(config);
    let mixture = Mixture::new(encoder.iter().map(|data| data.train.len()).collect(), weights.as_deref());
    match mixture.shares().iter().zip(encoder).find(|(share, _)| **share == 0) {
        Some((share, data)) => Err(Error::configuration(format!(
            "`dataset.mix`: the weight of {} gives it {share} of an epoch's {} images; raise its weight or leave it out",
            data.label,
            mixture.epoch_len()
        ))),
        None => Ok(mixture),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooled_statistics_are_those_of_the_union() {
        // 0, 2 (mean 1, σ 1) and 4, 4, 4, 8 (mean 5, σ √3), together mean 11/3 and variance 116/6 − (11/3)².
        let one = |mean: f64, std: f64| Normalization { mean: vec![mean], std: vec![std] };
        let (mean, std) = pooled(&[&one(1.0, 1.0), &one(5.0, 3.0_f64.sqrt())], &[2, 4]).unwrap();
        assert!((mean[0] - 11.0 / 3.0).abs() < 1e-12, "{mean:?}");
        assert!((std[0].powi(2) - (116.0 / 6.0 - (11.0_f64 / 3.0).powi(2))).abs() < 1e-12, "{std:?}");
    }

    #[test]
    fn images_that_one_encoder_cannot_take_are_refused_by_key_and_name() {
        let (small, tall) = (Size::square(32), Size { height: 48, width: 32 });
        let (colour, grey, large) = (("a", 3, small), ("b", 1, small), ("c", 3, tall));
        check_channels("dataset.mix", large, colour).unwrap();
        let error = check_channels("linear_head.dataset.name", grey, colour).unwrap_err().to_string();
        for part in ["`linear_head.dataset.name`", "b have 1 channels", "a 3"] {
            assert!(error.contains(part), "{error}");
        }
        check_sizes(grey, colour, None).unwrap();
        check_sizes(large, colour, Some(32)).unwrap();
        let error = check_sizes(large, colour, None).unwrap_err().to_string();
        for part in ["`dataset.mix`", "c have 48×32 pixels", "a 32×32", "`preprocess.resize`"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
