//! Everything a run consists of before its first step, built from its configuration.

use super::error::TrainError;
use crate::augment::Views;
use crate::config::Config;
use crate::config::schema::{CachePlace, Precision, StemChoice};
use crate::data::{Source, split};
use crate::method::{self, Method};
use crate::plugin::Registry;
use crate::{device, native, random};
use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, Encoder, EncoderRequest, Normalization, Samples, Services, Split, Stem,
};
use std::path::PathBuf;
use tch::Device;

/// The samples of a run.
pub struct Data {
    /// Facts about the data set.
    pub card: Card,
    /// What the encoder learns from.
    pub train: Source,
    /// What is scored between epochs, and which split it is; none when everything is trained on.
    pub val: Option<Source>,
    /// The publisher's test split; loaded only when there is no validation split to score.
    pub test: Option<Source>,
}

impl Data {
    /// The split that is scored: validation, or test where everything else is trained on.
    pub fn scored(&self) -> Option<(&'static str, &Source)> {
        self.val.as_ref().map(|val| ("val", val)).or_else(|| self.test.as_ref().map(|test| ("test", test)))
    }
}

/// The device and the arithmetic of a run.
#[derive(Debug, Clone, Copy)]
pub struct Compute {
    /// Where encoder and heads live.
    pub device: Device,
    /// Whether forward passes run in bfloat16.
    pub autocast: bool,
}

impl Compute {
    /// Chooses the device and the arithmetic, and logs the choice.
    ///
    /// # Errors
    /// A device that was asked for by name and does not work.
    pub fn select(config: &Config) -> Result<Self, TrainError> {
        let selected = device::select(&config.train.device)?;
        if let Some(note) = &selected.note {
            tracing::info!("{note}");
        }
        let cuda = selected.device.is_cuda();
        let autocast = match config.train.precision {
            Precision::Fp32 => false,
            Precision::Bf16 => true,
            Precision::Auto => cuda,
        };
        Ok(Self { device: selected.device, autocast })
    }
}

/// Makes the files of the configured data set ready.
///
/// # Errors
/// What the plugin says about the data set, its options or its files.
pub fn prepare_dataset(
    config: &Config,
    registry: &Registry,
    services: &dyn Services,
) -> Result<(Card, Box<dyn Dataset>), TrainError> {
    let name = &config.dataset.name;
    let request = DatasetRequest {
        name: name.clone(),
        dataset_dir: config.dataset.dataset_dir.clone(),
        cache_dir: cache_dir()?,
        options: serde_json::Value::Object(config.dataset.options.clone()),
    };
    let dataset = registry.create_dataset(&request)?;
    dataset.prepare(services)?;
    let card = match dataset.card()? {
        Some(card) => card,
        None => registry.dataset_card(name)?,
    };
    Ok((card, dataset))
}

/// Opens the data set's splits and reads what the run needs.
///
/// # Errors
/// What the plugin says, and splits that are too small for the configuration.
pub fn load_data(
    config: &Config,
    registry: &Registry,
    services: &dyn Services,
    device: Device,
) -> Result<Data, TrainError> {
    let (card, dataset) = prepare_dataset(config, registry, services)?;
    let train = dataset.open(Split::Train)?;
    let own_val = card.splits.contains(&Split::Val).then(|| dataset.open(Split::Val)).transpose()?;
    let fraction = if own_val.is_some() { 0.0 } else { config.data.val_fraction };
    let parts = split::cut(train.len(), &train.targets(), train.groups().as_deref(), fraction, config.train.seed);

    let limit = &config.data.limit;
    let workers = config.dataset.num_workers.unwrap_or_else(cores);
    let load = |samples: &dyn Samples, indices: Vec<usize>, limit: Option<usize>| {
        let indices = split::limited(indices, limit);
        let place = place(config.data.cache, device, &card, indices.len());
        Source::load(&card, samples, &indices, workers, place)
    };
    let shuffled =
        |samples: &dyn Samples, purpose: &str| random::permutation(samples.len(), config.train.seed, purpose, &[]);

    let source = load(train.as_ref(), parts.train, limit.train)?;
    if source.len() < config.train.batch_size {
        return Err(TrainError::configuration(format!(
            "`train.batch_size` is {}, but the training split has {} samples; lower the batch size or keep more samples \
             (`data.limit.train`, `data.val_fraction`)",
            config.train.batch_size,
            source.len()
        )));
    }
    let val = match own_val {
        Some(samples) => Some(load(samples.as_ref(), shuffled(samples.as_ref(), "val"), limit.val)?),
        None if !parts.val.is_empty() => Some(load(train.as_ref(), parts.val, limit.val)?),
        None => None,
    };
    let test = match (&val, card.splits.contains(&Split::Test)) {
        (None, true) => {
            let samples = dataset.open(Split::Test)?;
            Some(load(samples.as_ref(), shuffled(samples.as_ref(), "test"), limit.test)?)
        }
        _ => None,
    };
    Ok(Data { card, train: source, val, test })
}

/// The views that the configuration describes, for the data set's images.
///
/// # Errors
/// Parameters that do not fit the images.
pub fn views(config: &Config, data: &Data) -> Result<Views, TrainError> {
    let statistics = data.card.normalization.as_ref().map(|Normalization { mean, std }| (mean.clone(), std.clone()));
    let size = data.train.image_size();
    Ok(Views::new(&config.augmentation, &config.preprocess, data.card.channels, size, statistics)?)
}

/// Builds the encoder and the method around it, seeded.
///
/// # Errors
/// What the plugin says about the encoder's options.
pub fn build_method(
    config: &Config,
    registry: &Registry,
    channels: usize,
    image_size: (usize, usize),
    device: Device,
) -> Result<Box<dyn Method>, TrainError> {
    tch::manual_seed(random::derive_seed(config.train.seed, "initialisation", &[]) as i64);
    let encoder = build_encoder(config, registry, channels, image_size, device)?;
    let method = method::create(config, encoder, device)?;
    for mut parameter in method.parameters() {
        if parameter.tensor.dim() == 4 {
            let converted = native::to_channels_last(&parameter.tensor.detach())?;
            parameter.tensor.set_data(&converted);
        }
    }
    Ok(method)
}

fn build_encoder(
    config: &Config,
    registry: &Registry,
    channels: usize,
    image_size: (usize, usize),
    device: Device,
) -> Result<Box<dyn Encoder>, TrainError> {
    let request = EncoderRequest {
        name: config.train.self_supervision.encoder_name.clone(),
        channels,
        image_size,
        stem: match config.encoder.stem {
            StemChoice::Auto => None,
            StemChoice::Cifar => Some(Stem::Cifar),
            StemChoice::Imagenet => Some(Stem::Imagenet),
        },
        options: serde_json::Value::Object(config.encoder.options.clone()),
    };
    Ok(registry.create_encoder(&request, device)?)
}

/// Pixels may take this share of the device's free memory.
const DEVICE_SHARE: f64 = 0.5;

/// Where the pixels of so many samples are held.
pub(crate) fn place(choice: CachePlace, device: Device, card: &Card, samples: usize) -> Device {
    let bytes = samples * card.channels * card.nominal_size.0 * card.nominal_size.1;
    let fits = || match device {
        Device::Cuda(index) => native::cuda_memory(index).is_ok_and(|m| (bytes as f64) < DEVICE_SHARE * m.free as f64),
        _ => true,
    };
    match choice {
        CachePlace::Host => Device::Cpu,
        CachePlace::Device => device,
        CachePlace::Auto if fits() => device,
        CachePlace::Auto => Device::Cpu,
    }
}

/// Threads that read samples unless told otherwise.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// `$XDG_CACHE_HOME/selfsame`, or `~/.cache/selfsame`.
fn cache_dir() -> Result<PathBuf, TrainError> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    base.map(|base| base.join("selfsame")).ok_or_else(|| {
        TrainError::configuration(
            "there is no home folder to keep downloads in; set XDG_CACHE_HOME or `dataset.dataset_dir`",
        )
    })
}
