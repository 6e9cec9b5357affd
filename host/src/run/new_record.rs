//! The record of a run that begins or goes on.

use super::record::{DataSetRecord, RunRecord, RunStatus, StoredImages, changed_plugins};
use crate::config::{self, Config};
use crate::data::{Depth, Size, loader};
use crate::metric::Probe;
use crate::native;
use crate::plugin::Registry;
use crate::probe::Warnings;
use crate::samples::{Data, RunData};
use jiff::Timestamp;
use selfsame_plugin_api::{Card, Normalization, Split, Task};
use std::collections::BTreeMap;
use tch::Device;

/// What is known of a run before its networks are built.
pub fn new_record(
    config: &Config,
    registry: &Registry,
    device: Device,
    data: &RunData,
    input_size: [usize; 3],
) -> RunRecord {
    let data_sets = data_sets(data);
    let mut split_sizes = BTreeMap::new();
    for (split, size) in data_sets.iter().take(data.encoder.len()).flat_map(|data| &data.split_sizes) {
        *split_sizes.entry(split.clone()).or_default() += size;
    }
    RunRecord {
        dataset: data.encoder_name(),
        image_size: Some(data.image_size()),
        stored_images: data.encoder.first().map(|data| stored_images(config, &data.card)),
        normalization: data.statistics().map(|(mean, std)| Normalization { mean, std }),
        split_sizes,
        data_sets,
        ..blank(config, registry, device, input_size)
    }
}

/// The record that stands for weights which no run of this program has left: of an encoder for images of `card`, whose size
/// before `preprocess` is `image_size`.
pub fn given_record(
    config: &Config,
    registry: &Registry,
    card: &Card,
    input_size: [usize; 3],
    image_size: Size,
) -> RunRecord {
    RunRecord {
        status: RunStatus::Completed,
        dataset: card.name.clone(),
        image_size: Some(image_size),
        stored_images: Some(stored_images(config, card)),
        normalization: card.normalization.clone(),
        ..blank(config, registry, Device::Cpu, input_size)
    }
}

/// How images of this data set are kept.
fn stored_images(config: &Config, card: &Card) -> StoredImages {
    StoredImages { channels: card.channels, bit_depth: Depth::of(card).bits(), side: loader::store_side(config, card) }
}

/// What is known of a run without its data.
fn blank(config: &Config, registry: &Registry, device: Device, input_size: [usize; 3]) -> RunRecord {
    RunRecord {
        status: RunStatus::Running,
        selfsame_version: env!("CARGO_PKG_VERSION").into(),
        libtorch_version: native::libtorch_version().into(),
        tch_version: native::TCH_VERSION.into(),
        commands: vec![std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect()],
        paths: config::recorded(config),
        started: Timestamp::now(),
        finished: None,
        device: match device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".into(),
        },
        threads: tch::get_num_threads() as usize,
        seed: config.train.seed,
        method: config.train.self_supervision.method.to_string(),
        encoder: config.train.self_supervision.encoder_name.clone(),
        embedding: String::new(),
        dataset: String::new(),
        input_size,
        image_size: None,
        stored_images: None,
        normalization: None,
        split_sizes: BTreeMap::new(),
        data_sets: Vec::new(),
        plugins: registry.used().into_iter().map(Into::into).collect(),
        init: None,
        encoder_sha256: None,
        epochs_done: 0,
        epochs: config.scheduler.epochs,
        warnings: Warnings::default(),
        metrics: BTreeMap::new(),
    }
}

/// What the record says about the data sets.
pub fn data_sets(data: &RunData) -> Vec<DataSetRecord> {
    let one = |data: &Data, images_per_epoch, probed| {
        let splits = [Some((Split::Train, &data.train)), data.scored()];
        DataSetRecord {
            name: data.card.name.clone(),
            folder: data.folder.clone(),
            images_per_epoch,
            probed: probed && data.card.task != Task::None,
            split_sizes: splits
                .into_iter()
                .flatten()
                .map(|(split, part)| (split.name().to_owned(), part.len()))
                .collect(),
            samples_sha256: Some(data.samples_sha256.clone()),
        }
    };
    let probes_first = data.head.is_none();
    let shares = data.mixture.shares().iter().enumerate();
    let encoder = data.encoder.iter().zip(shares).map(|(data, (i, &share))| one(data, share, probes_first && i == 0));
    encoder.chain(data.head.iter().map(|head| one(head, 0, true))).collect()
}

impl RunRecord {
    /// Puts the command lines of earlier starts before that of this one.
    pub fn follow(&mut self, commands: Vec<Vec<String>>) {
        self.commands.splice(0..0, commands);
    }

    /// Keeps what an interrupted run said of itself, now that it goes on.
    pub fn continue_from(&mut self, earlier: RunRecord) {
        self.started = earlier.started;
        self.follow(earlier.commands);
        self.init = earlier.init;
        self.warnings.keep(&earlier.warnings);
        changed_plugins(&earlier.plugins, &self.plugins).into_iter().for_each(|change| self.warnings.warn(change));
        // Scores of the last epoch of a run that goes on are not those of its end.
        self.metrics = earlier.metrics;
        let (linear, test) = (format!("{}/", Probe::Linear.name()), format!("/{}/", Split::Test.name()));
        self.metrics.retain(|name, _| !name.starts_with(&linear) && !name.contains(&test));
    }
}
