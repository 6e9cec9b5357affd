//! What a run consists of before its first step, built from its configuration: one data set, device, encoder, method.
//! How several data sets make one run is in [`data_sets`](super::data_sets).

use super::splits::Splits;
use crate::augment::Views;
use crate::config::Config;
use crate::config::schema::{Precision, StemChoice};
use crate::data::{DataError, Loader, Source, loader};
use crate::error::TrainError;
use crate::method::{self, Method};
use crate::plugin::Registry;
use crate::probe::Embedder;
use crate::run::folder::LeftOut;
use crate::train::initial_weights::InitialWeights;
use crate::{device, native, random};
use selfsame_encoder_api::{Encoder, EncoderRequest, Stem};
use selfsame_plugin_api::{Card, Dataset, DatasetRequest, Services};
use std::path::PathBuf;
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
    /// What [`Splits::digest`] answers.
    pub samples_sha256: String,
}

impl Data {
    /// The split that is scored: validation, or test where everything else is trained on.
    pub fn scored(&self) -> Option<(&'static str, &Source)> {
        self.val.as_ref().map(|val| ("val", val)).or_else(|| self.test.as_ref().map(|test| ("test", test)))
    }
}

impl Data {
    /// The samples that cannot be read and were left out, by part.
    pub fn left_out(&self) -> LeftOut {
        let parts = [("train", Some(&self.train)), ("val", self.val.as_ref()), ("test", self.test.as_ref())];
        let listed = parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?.damaged().to_vec())));
        listed.filter(|(_, damaged)| !damaged.is_empty()).collect()
    }
}

/// The device and the arithmetic of a run.
#[derive(Debug, Clone, Copy)]
pub struct Compute {
    /// Where encoder and heads live.
    pub device: Device,
    /// Whether forward passes run in bfloat16.
    pub autocast: bool,
    /// Images per forward pass without gradients.
    pub embed_batch: usize,
}

/// Images per forward pass without gradients, where memory does not ask for fewer.
const EMBED_BATCH: usize = 256;

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
        let autocast = match config.train.precision {
            Precision::Fp32 => false,
            Precision::Bf16 => true,
            Precision::Auto => selected.bfloat16,
        };
        // Without gradients only one layer's activations are in memory; training keeps those of all layers and two views.
        let train = &config.train;
        let embed_batch = EMBED_BATCH.min(4 * train.micro_batch_size.unwrap_or(train.batch_size));
        Ok(Self { device: selected.device, autocast, embed_batch })
    }

    /// An encoder with views, computing here.
    pub fn embedder<'a>(self, encoder: &'a dyn Encoder, views: &'a Views) -> Embedder<'a> {
        Embedder { encoder, views, device: self.device, autocast: self.autocast, batch: self.embed_batch }
    }
}

/// Makes the files of one data set ready.
///
/// # Errors
/// What the plugin says about the data set, its options or its files.
pub fn prepare_dataset(
    request: &DatasetRequest,
    registry: &Registry,
    services: &dyn Services,
) -> Result<(Card, Box<dyn Dataset>), TrainError> {
    services
        .items(&format!("preparing {}", request.name), 0, None)
        .map_err(|error| DataError::cancelled(&request.name, error))?;
    let dataset = registry.create_dataset(request)?;
    dataset.prepare(services)?;
    let card = match dataset.card()? {
        Some(card) => card,
        None => registry.dataset_card(&request.name)?,
    };
    Ok((card, dataset))
}

/// Opens one data set's splits and reads what the run needs, without the samples that it `left_out` before it was
/// interrupted, by part.
///
/// # Errors
/// What the plugin says, and a training split without samples.
pub fn load_data(
    config: &Config,
    request: &DatasetRequest,
    workers: Option<usize>,
    registry: &Registry,
    services: &dyn Services,
    device: Device,
    left_out: &LeftOut,
) -> Result<Data, TrainError> {
    let splits = Splits::prepare(config, request, workers, registry, services)?;
    let names = splits.names()?;
    let load = |name: &str| {
        splits.read(&mut splits.open(name)?, device, left_out.get(name).map_or(&[], |samples| samples.as_slice()))
    };
    let load_if = |wanted: bool, name| (wanted && names.contains(&name)).then(|| load(name)).transpose();
    let train = load("train")?;
    let val = load_if(true, "val")?;
    let test = load_if(val.is_none() && config.data.val_fraction == 0.0, "test")?;
    let samples_sha256 = splits.digest()?;
    let folder = request.dataset_dir.clone();
    Ok(Data { card: splits.into_card(), label: label(request), folder, train, val, test, samples_sha256 })
}

/// A data set's name, with its folder where one is configured: several may come from one plugin.
pub fn label(request: &DatasetRequest) -> String {
    match &request.dataset_dir {
        Some(folder) => format!("{} ({})", request.name, folder.display()),
        None => request.name.clone(),
    }
}

/// What loads the splits of one data set.
///
/// # Errors
/// When there is no folder for the packed cache.
pub fn loader<'a>(
    config: &Config,
    workers: Option<usize>,
    card: &'a Card,
    services: &'a dyn Services,
    device: Device,
) -> Result<Loader<'a>, TrainError> {
    Ok(Loader {
        card,
        side: loader::store_side(config, card),
        cache_dir: packed_dir(config)?,
        place: config.data.cache,
        device,
        on_error: config.data.on_error,
        workers: workers.unwrap_or_else(cores),
        services,
    })
}

/// Threads that read samples of the first data set.
pub fn workers(config: &Config) -> usize {
    config.dataset.num_workers.unwrap_or_else(cores)
}

/// Folder of the packed cache.
///
/// # Errors
/// When there is no home folder and none is configured.
pub fn packed_dir(config: &Config) -> Result<PathBuf, TrainError> {
    match &config.data.cache_dir {
        Some(folder) => Ok(folder.clone()),
        None => Ok(cache_dir()?.join("packed")),
    }
}

/// Builds the encoder and the method around it, seeded; an encoder given weights starts from them. `with_features`: as for
/// [`method::create`].
///
/// # Errors
/// What the plugin says about the encoder's options, and weights that do not fit it.
pub fn build_method(
    weights: Option<&InitialWeights>,
    config: &Config,
    registry: &Registry,
    channels: usize,
    image_size: (usize, usize),
    device: Device,
    with_features: bool,
) -> Result<Box<dyn Method>, TrainError> {
    tch::manual_seed(random::derive_seed(config.train.seed, "initialisation", &[]) as i64);
    let encoder = || {
        let encoder = build_encoder(config, registry, channels, image_size, device)?;
        match weights {
            Some(weights) => weights.load_into(encoder.as_ref()).map(|()| encoder),
            None => Ok(encoder),
        }
    };
    method::create(config, encoder, device, with_features)
}

/// Builds one encoder, with random weights from libtorch's global generator; every encoder of a run is made here, a
/// method's second one too.
///
/// # Errors
/// What the plugin says about the encoder's options.
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
    let encoder = registry.create_encoder(&request, device)?;
    for mut parameter in encoder.parameters() {
        if parameter.tensor.dim() == 4 {
            let converted = native::to_channels_last(&parameter.tensor.detach())?;
            parameter.tensor.set_data(&converted);
        }
    }
    Ok(encoder)
}

/// Threads that read samples unless told otherwise.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// `$XDG_CACHE_HOME/selfsame`, or `~/.cache/selfsame`.
pub(super) fn cache_dir() -> Result<PathBuf, TrainError> {
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
