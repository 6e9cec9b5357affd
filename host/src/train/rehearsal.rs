//! How long a run will take, and how much memory, measured on a few of its images.

use super::compute::Compute;
use super::engine::Engine;
use super::observer::Silent;
use super::plan::Plan;
use super::signals::Stop;
use super::trial::Trial;
use crate::config::Config;
use crate::data::{Depth, Size, loader};
use crate::error::Error;
use crate::plugin::Registry;
use crate::samples::{self, Data, RunData};
use crate::world::World;
use crate::{memory, native};
use selfsame_plugin_api::{Services, Split, Task};
use std::time::Instant;
use tch::Device;

/// Steps that are timed; one before them is not, in which memory is taken and kernels are chosen.
const MEASURED: usize = 2;
/// What a run would be.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// Where it would compute.
    pub device: Device,
    /// With which arithmetic, as `train.precision` names it.
    pub precision: &'static str,
    /// Its length.
    pub plan: Plan,
    /// Images that an epoch would leave out, as they fill no batch.
    pub left_out: usize,
    /// Each data set and the samples of its splits, within `data.limit`.
    pub data_sets: Vec<(String, Vec<(Split, usize)>)>,
    /// What the encoder gets: channels, height, width.
    pub input: [usize; 3],
    /// Features of an image.
    pub feature_dim: usize,
    /// Parameters of the encoder.
    pub parameters: usize,
    /// Seconds that reading and decoding takes for each image, the first time.
    pub read: f64,
    /// Seconds of a training step.
    pub step: f64,
    /// Seconds in which one image is embedded.
    pub embed: f64,
    /// The most memory in bytes that was taken: of the device, where it is a GPU; none where the system does not say.
    pub memory: Option<u64>,
    /// Bytes that the decoded images of all splits take in memory or on disk.
    pub pixels: u64,
    scored: Scored,
}

/// Images that are embedded to measure the encoder.
#[derive(Debug, Clone, Copy, Default)]
struct Scored {
    /// That kNN and the linear probe learn from; 0 without labels.
    bank: usize,
    /// That they are scored on.
    probed: usize,
    /// On which the loss is measured between epochs.
    validation: usize,
}

/// How long a run would take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Reading and decoding, where the packed cache has nothing yet.
    pub reading: f64,
    /// All steps.
    pub training: f64,
    /// Scores of the untrained encoder, between epochs and at the end.
    pub scoring: f64,
}

impl Estimate {
    /// All together.
    pub fn total(self) -> f64 {
        self.reading + self.training + self.scoring
    }
}

/// Opens the data sets of a run, builds its networks and measures some steps.
///
/// # Errors
/// Whatever the stages before training refuse, and what a step refuses.
pub fn rehearse(
    config: &Config,
    registry: &Registry,
    services: &dyn Services,
    stop: &Stop,
) -> Result<Rehearsal, Error> {
    let Trial { config: few, compute, data, views, method, head, .. } =
        Trial::open(config, registry, services, 1 + MEASURED)?;
    let size = views.encoder.output_size();
    let channels = views.encoder.output_channels();
    let feature_dim = method.encoder().feature_dim();
    let parameters = method.encoder().parameters().iter().map(|parameter| parameter.tensor.numel()).sum();

    let mut silent = Silent;
    let (stop, world) = (stop.clone(), World::alone());
    let mut engine = Engine::new(&few, compute, &data, &views, method, head, None, &mut silent, stop, world)?;
    let took = engine.rehearse(1 + MEASURED, services)?;
    let step = took[1..].iter().sum::<f64>() / MEASURED as f64;
    let method = engine.into_trained().method;
    let embed = time_of_embedding(&data, compute, method.encoder(), &views)?;

    let mut rehearsal = Rehearsal {
        device: compute.device,
        precision: compute.precision(config),
        plan: Plan { epochs: config.scheduler.epochs as u64, steps_per_epoch: 0 },
        left_out: 0,
        data_sets: Vec::new(),
        input: [channels, size.height, size.width],
        feature_dim,
        parameters,
        read: time_of_reading(&data),
        step,
        embed,
        memory: match compute.device {
            Device::Cuda(index) => Some(native::cuda_peak(index)?),
            _ => memory::peak().map(|bytes| bytes as u64),
        },
        pixels: 0,
        scored: Scored::default(),
    };
    rehearsal.count(config, &data);
    Ok(rehearsal)
}

/// Seconds for each image that was read.
fn time_of_reading(data: &RunData) -> f64 {
    let sets = || data.encoder.iter().chain(&data.head);
    let images: usize = sets()
        .flat_map(|set| [Some(&set.train), set.val.as_ref(), set.test.as_ref()])
        .flatten()
        .map(|part| part.len())
        .sum();
    sets().map(|set| set.reading.as_secs_f64()).sum::<f64>() / images.max(1) as f64
}

/// Seconds in which one image of the training split is embedded.
fn time_of_embedding(
    data: &RunData,
    compute: Compute,
    encoder: &dyn selfsame_encoder_api::Encoder,
    views: &samples::RunViews,
) -> Result<f64, Error> {
    let source = &data.encoder[0].train;
    let embedder = compute.embedder(encoder, &views.encoder);
    let places: Vec<usize> = (0..source.len().min(embedder.batch)).collect();
    let mut seconds = 0.0;
    // The first time takes memory and chooses kernels.
    for _ in 0..2 {
        let started = Instant::now();
        for embedded in embedder.batches_of(source, &places) {
            // Waits for the device.
            let _: f64 = f64::try_from(&embedded?.f_sum(tch::Kind::Float)?)?;
        }
        seconds = started.elapsed().as_secs_f64();
    }
    Ok(seconds / places.len().max(1) as f64)
}

impl Rehearsal {
    /// What the run would have with all images that the configuration allows.
    fn count(&mut self, config: &Config, data: &RunData) {
        let limit = &config.data.limit;
        let of = |set: &Data, split: Split| {
            let most = match split {
                Split::Train => limit.train,
                Split::Val => limit.val,
                Split::Test => limit.test,
            };
            set.available(split).min(most.unwrap_or(usize::MAX))
        };
        let sets = || data.encoder.iter().chain(&data.head);
        let splits = |set: &Data| set.available.iter().map(|(split, _)| (*split, of(set, *split))).collect();
        self.data_sets = sets().map(|set| (set.label.clone(), splits(set))).collect();
        let (images, batch) = (data.epoch_len_of(config), config.train.batch_size);
        self.plan.steps_per_epoch = (images / batch) as u64;
        self.left_out = images % batch;
        let bytes = |set: &Data| {
            bytes_of(config, set) * set.available.iter().map(|(split, _)| of(set, *split) as u64).sum::<u64>()
        };
        self.pixels = sets().map(bytes).sum();
        let probed = data.probe_data();
        let has_labels = probed.card.task != Task::None;
        self.scored = Scored {
            bank: if has_labels { of(probed, Split::Train) } else { 0 },
            probed: probed.scored().map_or(0, |(split, _)| of(probed, split)),
            validation: data.encoder.iter().map(|set| of(set, Split::Val)).sum(),
        };
    }

    /// How long the run would take; `config` may be another one that differs in how long it trains and how often it scores.
    pub fn estimate(&self, config: &Config) -> Estimate {
        let epochs = config.scheduler.epochs as f64;
        let images: usize = self.data_sets.iter().flat_map(|(_, splits)| splits.iter().map(|(_, count)| count)).sum();
        let Scored { bank, probed, validation } = self.scored;
        let every = config.knn.every_epochs as f64;
        let neighbours = if every > 0.0 { (epochs / every).ceil() } else { 1.0 };
        // The loss of validation sees two views or more, at the price of embedding each.
        let between = epochs * (probed + 2 * validation) as f64 + neighbours * bank as f64;
        let ends = if bank > 0 { 2 * (bank + probed) } else { 0 };
        Estimate {
            reading: images as f64 * self.read,
            training: epochs * self.plan.steps_per_epoch as f64 * self.step,
            scoring: (between + ends as f64) * self.embed,
        }
    }

    /// Samples of a split of the encoder's first data set.
    pub fn samples(&self, split: Split) -> usize {
        let splits = self.data_sets.first().map(|(_, splits)| splits.as_slice()).unwrap_or_default();
        splits.iter().find(|(own, _)| *own == split).map_or(0, |(_, count)| *count)
    }

    /// From now on a run of one data set within these limits of training and validation images.
    pub fn limit(&mut self, train: usize, val: usize, batch: usize) {
        for (split, count) in self.data_sets.iter_mut().flat_map(|(_, splits)| splits) {
            *count = match split {
                Split::Train => (*count).min(train),
                Split::Val => (*count).min(val),
                Split::Test => *count,
            };
        }
        let images = self.samples(Split::Train);
        self.plan.steps_per_epoch = (images / batch) as u64;
        self.left_out = images % batch;
        let Scored { bank, probed, validation } = self.scored;
        self.scored = Scored { bank: bank.min(train), probed: probed.min(val), validation: validation.min(val) };
    }

    /// Images that kNN and the linear probe would learn from; 0 without labels.
    pub fn bank(&self) -> usize {
        self.scored.bank
    }
}

/// Bytes of one decoded image of a data set.
fn bytes_of(config: &Config, set: &Data) -> u64 {
    let Size { height, width } = Size::nominal(&set.card);
    let shrink = match loader::store_side(config, &set.card) {
        Some(side) => (height.min(width) as f64 / side as f64).max(1.0),
        None => 1.0,
    };
    let area = height as f64 * width as f64 / (shrink * shrink);
    (area * (set.card.channels * Depth::of(&set.card).bytes()) as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Rehearsal {
        Rehearsal {
            device: Device::Cpu,
            precision: "fp32",
            plan: Plan { epochs: 4, steps_per_epoch: 10 },
            left_out: 0,
            data_sets: vec![("films".into(), vec![(Split::Train, 100), (Split::Val, 10)])],
            input: [1, 64, 64],
            feature_dim: 64,
            parameters: 77_104,
            read: 0.1,
            step: 1.0,
            embed: 0.01,
            memory: None,
            pixels: 0,
            scored: Scored { bank: 100, probed: 10, validation: 10 },
        }
    }

    #[test]
    fn an_estimate_counts_every_image_that_is_read_trained_on_and_embedded() {
        let mut config = Config::default();
        config.scheduler.epochs = 4;
        config.knn.every_epochs = 2;
        let estimate = measured().estimate(&config);
        assert!((estimate.reading - 11.0).abs() < 1e-9 && (estimate.training - 40.0).abs() < 1e-9, "{estimate:?}");
        // Four times 10 images and two views of 10, two times the 100 that vote; before and after, 110.
        let embedded = 4.0 * 30.0 + 2.0 * 100.0 + 2.0 * 110.0;
        assert!((estimate.scoring - embedded * 0.01).abs() < 1e-9, "{estimate:?}");
    }

    #[test]
    fn a_part_of_the_images_makes_a_shorter_run() {
        let mut part = measured();
        part.limit(50, 5, 8);
        assert_eq!((part.samples(Split::Train), part.samples(Split::Val)), (50, 5));
        assert_eq!((part.plan.steps_per_epoch, part.left_out, part.bank()), (6, 2, 50));
        let config = Config::default();
        assert!(part.estimate(&config).total() < measured().estimate(&config).total());
    }
}
