//! A run's folder, one of its checkpoints, or given weights, as an encoder that can be evaluated.

use crate::augment::Views;
use crate::config::schema::{DatasetConfig, LinearHeadConfig};
use crate::config::{self, Config, InEvaluation, Recommended, Resolved, Role, Roles, Sources, flat};
use crate::data::Size;
use crate::error::Error;
use crate::method::Method;
use crate::plugin::Registry;
use crate::regular_file;
use crate::run::checkpoint::{self, CHECKPOINTS_DIR, Checkpoint, Tensors};
use crate::run::files::{CONFIG_FILE, ENCODER_FILE};
use crate::run::new_record::given_record;
use crate::run::record::{RunRecord, RunStatus};
use crate::run::state;
use crate::run::tensors::{from_safetensors, to_safetensors};
use crate::samples;
use crate::storage::{Naming, sha256_of_bytes};
use crate::train::build::build_method;
use crate::train::initial_weights::{INIT, InitialWeights};
use selfsame_plugin_api::Services;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tch::Device;

/// A run whose encoder is to be evaluated, or what stands for one: given weights.
#[derive(Debug)]
pub struct TrainedRun {
    /// The run's folder; the file of given weights.
    pub folder: PathBuf,
    /// What ran.
    pub record: RunRecord,
    /// The configuration it ran with.
    pub config: Config,
    /// The checkpoint that was named; without one, the run's final encoder or its newest checkpoint.
    checkpoint: Option<Checkpoint>,
    /// Weights in place of a run's.
    given: Option<InitialWeights>,
}

/// What evaluated weights are called that no run has left.
pub const GIVEN: &str = "the given weights";

/// What weights are called from before the first step.
const UNTRAINED: &str = "the encoder before training";

/// Where an evaluated encoder's weights came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightsOrigin {
    /// The file, relative to the run's folder; `untrained` where no file was read; as it was named where it was given.
    pub file: String,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Steps that the encoder was trained for; none when no checkpoint says so.
    pub step: Option<u64>,
}

impl TrainedRun {
    /// Opens a run's folder or one of its checkpoint folders (`RUN/checkpoints/step-NNNNNNNN`).
    ///
    /// # Errors
    /// A folder that is neither; a damaged checkpoint.
    pub fn open(path: &Path) -> Result<Self, Error> {
        // The name's own parents: `.` has none.
        let path = path.canonicalize().map_err(|error| {
            let what = "name a run's folder, or one of its checkpoints";
            Error::data(format!("cannot open {}: {error}; {what}", path.display()))
        })?;
        let parent = path.parent().filter(|parent| parent.file_name().is_some_and(|name| name == CHECKPOINTS_DIR));
        let (folder, checkpoint) = match parent.and_then(Path::parent) {
            Some(run) => (run.to_owned(), Some(checkpoint::at(&path)?)),
            None => (path, None),
        };
        let record = RunRecord::read(&folder)?;
        let sources = Sources { files: vec![folder.join(CONFIG_FILE)], ..Sources::default() };
        let config = config::load(&sources)?.config;
        Ok(Self { folder, record, config, checkpoint, given: None })
    }

    /// The weights in a file, of the encoder that the configuration names, made for its images.
    ///
    /// # Errors
    /// A file that cannot be read; what the plugin says about the data set; settings that do not fit its images.
    pub fn given(file: &Path, config: Config, registry: &Registry, services: &dyn Services) -> Result<Self, Error> {
        let given = InitialWeights::read("--init", file, config.train.self_supervision.init_prefix.as_deref())?;
        let request = samples::requests(&config)?.0.remove(0);
        let (card, _) = samples::prepare(&request, registry, services)?;
        let (nominal, statistics) = (Size::nominal(&card), card.normalization.clone());
        let statistics = statistics.map(|statistics| (statistics.mean, statistics.std));
        let views = Views::new(&config.augmentation, &config.preprocess, card.channels, nominal, statistics)?;
        let (channels, size) = (views.output_channels(), views.output_size());
        let record = given_record(&config, registry, &card, [channels, size.height, size.width], nominal);
        Ok(Self { folder: file.to_owned(), record, config, checkpoint: None, given: Some(given) })
    }

    /// Whether a run has left the weights, in whose folder results belong.
    pub fn is_run(&self) -> bool {
        self.given.is_none()
    }

    /// The run's configuration under `sets` (`KEY=VALUE`), with one data set: the one named (and its folder), else the one
    /// that the run's head learnt from, else the encoder's (first) one.
    ///
    /// # Errors
    /// Unknown keys, impossible values, and keys that say what the run was.
    pub fn configured(&self, dataset: Option<(&str, Option<&Path>)>, sets: &[String]) -> Result<Resolved, Error> {
        let failed = |message: String| Error::configuration(message);
        let mut base = self.config.clone();
        let (own, head) = (dataset.is_none(), std::mem::take(&mut base.linear_head.dataset));
        (base.linear_head.batch_size, base.linear_head.augmentation) = (None, LinearHeadConfig::default().augmentation);
        base.dataset.mix.clear();
        base.dataset.weight = None;
        let dataset = dataset.or_else(|| Some((head.name.as_deref()?, head.dataset_dir.as_deref())));
        if let Some((name, folder)) = dataset {
            let num_workers = base.dataset.num_workers;
            let dataset_dir = folder.map(Path::to_path_buf);
            base.dataset = DatasetConfig { name: name.into(), dataset_dir, num_workers, ..DatasetConfig::default() };
            base.dataset.options = if own { head.options.clone() } else { Map::new() };
            // Another data set's images come in the size that the encoder knows.
            let (_, size) = self.record.encoder_input();
            if base.preprocess.resize.is_none() && size.is_square() {
                base.preprocess.resize = Some(size.height);
            }
        }
        let (roles, before) = (Roles::read(), serde_json::to_value(&base).map_err(|error| failed(error.to_string()))?);
        let mut named: Vec<_> = flat(&before).into_iter().map(|(key, name)| (key, name.to_string())).collect();
        named.retain(|(key, _)| roles.of(key) == Some(Role::Plugin));
        let origin = format!("the run {}", self.folder.display());
        let sources = Sources {
            recommended: vec![Recommended { origin, values: recommendable(&before, "", &roles) }],
            sets: named.iter().map(|(key, name)| format!("{key}={name}")).chain(sets.iter().cloned()).collect(),
            ..Sources::default()
        };
        let resolved = config::load(&sources).map_err(|error| failed(error.to_string()))?;
        let now = serde_json::to_value(&resolved.config).map_err(|error| failed(error.to_string()))?;
        let changed = |key: &str| {
            let pointer = format!("/{}", key.replace('.', "/"));
            before.pointer(&pointer) != now.pointer(&pointer)
        };
        let first = |kinds: &[InEvaluation]| {
            roles.keys().find(|(key, role)| kinds.contains(&role.in_evaluation()) && changed(key)).map(|(key, _)| key)
        };
        let fixed: &[_] = match dataset {
            Some(_) => &[InEvaluation::Fixed],
            None => &[InEvaluation::Fixed, InEvaluation::OfTheImages],
        };
        if let Some(key) = first(fixed) {
            let advice = match key.starts_with("dataset") || key == "preprocess" {
                true => "; to evaluate on another data set, use `--dataset`",
                false => "; train another run with the other value",
            };
            return Err(failed(format!(
                "`{key}` defines the run {} and cannot be changed with `--set`{advice}",
                self.folder.display()
            )));
        }
        if let Some(key) = first(&[InEvaluation::OfTraining]) {
            return Err(failed(format!(
                "`{key}` says how the run was trained and has no effect on an evaluation; leave it out. The length and rate \
                 of fine-tuning are `--epochs` and `--lr`"
            )));
        }
        Ok(resolved)
    }

    /// Where `config`, made by [`configured`](Self::configured), departs from an evaluation of the run as it is:
    /// `KEY=VALUE`, sorted by key, less the keys that say where and how fast it computes.
    ///
    /// # Errors
    /// A run whose own configuration cannot be evaluated.
    pub fn departures(&self, config: &Config) -> Result<Vec<String>, Error> {
        let values =
            |config: &Config| serde_json::to_value(config).map_err(|error| Error::configuration(error.to_string()));
        let (own, now) = (values(&self.configured(None, &[])?.config)?, values(config)?);
        let (own, now, roles) = (flat(&own), flat(&now), Roles::read());
        let keys: BTreeSet<&String> = own.keys().chain(now.keys()).collect();
        let is_indifferent =
            |key: &str| roles.of(key).is_some_and(|role| role.in_evaluation() == InEvaluation::Indifferent);
        let departs = |key: &&String| !is_indifferent(key) && own.get(*key) != now.get(*key);
        let word = |key: &String| format!("{key}={}", now.get(key).map_or("null".into(), |value| plain(value)));
        Ok(keys.into_iter().filter(departs).map(word).collect())
    }

    /// Builds the method around the encoder and loads the weights: those of the named checkpoint, else of the finished
    /// run's `encoder.safetensors`, else of the newest intact checkpoint.
    ///
    /// # Errors
    /// No weights, or weights that do not fit; what the plugin refuses.
    pub fn load(&self, registry: &Registry, device: Device) -> Result<(Box<dyn Method>, WeightsOrigin), Error> {
        let (channels, size) = self.record.encoder_input();
        if let Some(given) = &self.given {
            let method = build_method(Some(given), &self.config, registry, channels, size, device, false)?;
            let origin = WeightsOrigin { file: given.file().path, sha256: given.file().sha256, step: None };
            return Ok((method, origin));
        }
        let method = build_method(None, &self.config, registry, channels, size, device, false)?;
        let file = self.folder.join(ENCODER_FILE);
        if self.checkpoint.is_none() && self.record.status == RunStatus::Completed && file.exists() {
            let bytes = regular_file::read(&file).naming("read", &file)?;
            let (expected, found) = (self.record.encoder_sha256.as_ref(), sha256_of_bytes(&bytes));
            if expected.is_some_and(|expected| *expected != found) {
                return Err(Error::data(format!(
                    "{} is not the file that the run wrote: its SHA-256 is {found}, run.json says {}; put it back, or name a \
                     checkpoint below {}",
                    file.display(),
                    expected.map_or("nothing", String::as_str),
                    self.folder.join(CHECKPOINTS_DIR).display()
                )));
            }
            let tensors =
                from_safetensors(&bytes).map_err(|error| Error::data(format!("{}: {error}", file.display())))?;
            self.restore(&state::encoder_tensors(method.encoder()), &tensors)?;
            let step = checkpoint::latest(&self.folder)?.map(|checkpoint| checkpoint.step);
            let origin = WeightsOrigin { file: ENCODER_FILE.into(), sha256: sha256_of_bytes(&bytes), step };
            return Ok((method, origin));
        }
        let checkpoint = match &self.checkpoint {
            Some(checkpoint) => checkpoint.clone(),
            None => checkpoint::latest(&self.folder)?.ok_or_else(|| {
                Error::data(format!(
                    "{} holds no intact checkpoint; the first one is written after an epoch, or after \
                     `train.checkpoint_every_steps`",
                    self.folder.display()
                ))
            })?,
        };
        let model = checkpoint.load()?.groups.remove("model").unwrap_or_default();
        self.restore(&state::model_tensors(method.as_ref()), &model)?;
        let path = checkpoint.path.join("model.safetensors");
        let sha256 = sha256_of_bytes(&regular_file::read(&path).naming("read", &path)?);
        let file = path.strip_prefix(&self.folder).unwrap_or(&path).display().to_string();
        Ok((method, WeightsOrigin { file, sha256, step: Some(checkpoint.step) }))
    }

    /// The method as it was before the first step: the same seed, or the weights that the run started from.
    ///
    /// # Errors
    /// Starting weights that are gone; what the plugin refuses.
    pub fn untrained(&self, registry: &Registry, device: Device) -> Result<(Box<dyn Method>, WeightsOrigin), Error> {
        let (channels, size) = self.record.encoder_input();
        let start = &self.config.train.self_supervision;
        let prefix = start.init_prefix.as_deref();
        let init = start.init.as_deref().map(|path| InitialWeights::read(INIT, path, prefix)).transpose()?;
        let (then, now) = (&self.record.init, init.as_ref().map(InitialWeights::file));
        if let (Some(then), Some(now)) = (then, now)
            && then.sha256 != now.sha256
        {
            return Err(Error::data(format!(
                "{} is no longer the file that the run started from: its SHA-256 was {} and is {}; put that file back",
                now.path, then.sha256, now.sha256
            )));
        }
        let method = build_method(init.as_ref(), &self.config, registry, channels, size, device, false)?;
        let tensors = state::encoder_tensors(method.encoder());
        let bytes = to_safetensors(&tensors, &BTreeMap::new())?;
        let origin = WeightsOrigin { file: "untrained".into(), sha256: sha256_of_bytes(&bytes), step: Some(0) };
        Ok((method, origin))
    }

    /// The weights of [`load`](Self::load) or [`untrained`](Self::untrained), and in words which encoder that is.
    ///
    /// # Errors
    /// As these.
    pub fn chosen(
        &self,
        untrained: bool,
        registry: &Registry,
        device: Device,
    ) -> Result<(Box<dyn Method>, WeightsOrigin, String), Error> {
        if untrained {
            let (method, weights) = self.untrained(registry, device)?;
            return Ok((method, weights, UNTRAINED.to_owned()));
        }
        let (method, weights) = self.load(registry, device)?;
        let embedding = self.embedding(method.as_ref());
        Ok((method, weights, embedding))
    }

    /// Whether the training split that the run's probes learned from has other samples, labels or groups now, or another
    /// cut; unknown for another data set.
    pub fn has_other_samples(&self, dataset: &str, samples_sha256: &str) -> bool {
        let probed = self.record.data_sets.iter().find(|data| data.probed && data.name == dataset);
        let digest = probed.and_then(|data| data.samples_sha256.as_deref());
        digest.is_some_and(|digest| digest != samples_sha256)
    }

    /// What distinguishes the results of a named checkpoint from those of the run: `-step-NNNNNNNN`.
    pub fn suffix(&self) -> String {
        self.checkpoint.as_ref().map(|checkpoint| format!("-step-{:08}", checkpoint.step)).unwrap_or_default()
    }

    /// Which of the encoders of `method` is evaluated, in words.
    pub fn embedding(&self, method: &dyn Method) -> String {
        if self.is_run() { method.embedding() } else { GIVEN.to_owned() }
    }

    fn restore(&self, own: &[(String, tch::Tensor)], saved: &Tensors) -> Result<(), Error> {
        state::restore(own, saved).map_err(|error| {
            Error::data(format!(
                "the weights in {} do not fit the encoder that its config.yaml describes: {error}",
                self.folder.display()
            ))
        })
    }
}

/// What a layer of recommendations may hold: the keys that have a value, except those that name plugins.
fn recommendable(value: &Value, path: &str, roles: &Roles) -> Value {
    let Value::Object(entries) = value else { return value.clone() };
    let kept = entries.iter().filter_map(|(name, value)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let is_kept = !value.is_null() && roles.of(&path) != Some(Role::Plugin);
        is_kept.then(|| (name.clone(), recommendable(value, &path, roles)))
    });
    Value::Object(kept.collect())
}

/// A text without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
