//! A run up to its first steps, on a few of its images. Nothing is left behind: no run's folder, and the decoded images lie
//! in a temporary cache.

use super::build;
use super::compute::Compute;
use super::initial_weights::{INIT, InitialWeights};
use crate::config::Config;
use crate::error::Error;
use crate::method::Method;
use crate::plugin::Registry;
use crate::probe::LinearHead;
use crate::samples::{self, RunData, RunViews, Skipped};
use crate::storage::Naming;
use selfsame_plugin_api::{PluginError, Services};
use tempfile::TempDir;

/// Images of each scored split that are read.
const SCORED: usize = 32;
/// Batches of images that are read to train on, over and over.
const BATCHES: usize = 2;

/// The parts of such a run.
pub struct Trial {
    /// The run's configuration, with fewer images.
    pub config: Config,
    /// What computes it.
    pub compute: Compute,
    /// Its images.
    pub data: RunData,
    /// Their views.
    pub views: RunViews,
    /// Its method, with networks as at the start.
    pub method: Box<dyn Method>,
    /// Its online head.
    pub head: Option<LinearHead>,
    _cache: TempDir,
}

impl Trial {
    /// Opens the data sets of a run and builds its networks, for so many steps.
    ///
    /// # Errors
    /// Whatever the stages before training refuse.
    pub fn open(config: &Config, registry: &Registry, services: &dyn Services, steps: usize) -> Result<Self, Error> {
        let compute = Compute::select(config)?;
        let cache = tempfile::tempdir().naming("create", &std::env::temp_dir())?;
        let mut few = config.clone();
        let at_most = |limit: Option<usize>, count: usize| Some(limit.unwrap_or(count).min(count));
        few.data.limit.train = at_most(config.data.limit.train, BATCHES * config.train.batch_size);
        few.data.limit.val = at_most(config.data.limit.val, SCORED);
        few.data.limit.test = at_most(config.data.limit.test, SCORED);
        few.data.cache_dir = Some(cache.path().to_owned());
        // The schedule of so few images has to hold the steps that are measured.
        few.scheduler.epochs = config.scheduler.epochs.max(steps);

        let wanted = &config.train.self_supervision;
        let init = wanted.init.as_deref().map(|path| InitialWeights::read(INIT, path, wanted.init_prefix.as_deref()));
        let init = init.transpose()?;
        let data = samples::load(&few, registry, services, compute.device, &Skipped::default())?;
        services.items("building the encoder", 0, None).map_err(PluginError::from)?;
        let views = samples::views(&few, &data)?;
        let (channels, size) = (views.encoder.output_channels(), views.encoder.output_size());
        let with_features = build::head_needs_features(&few, &data);
        let method = build::build_method(init.as_ref(), &few, registry, channels, size, compute.device, with_features)?;
        let head = build::linear_head(&few, compute, &data, method.encoder().feature_dim())?;
        Ok(Self { config: few, compute, data, views, method, head, _cache: cache })
    }
}
