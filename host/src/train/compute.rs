//! Where and with which arithmetic a run computes.

use crate::augment::Views;
use crate::config::Config;
use crate::config::schema::Precision;
use crate::device;
use crate::error::Error;
use crate::native;
use crate::probe::Embedder;
use selfsame_encoder_api::Encoder;
use tch::{Device, Kind};

/// The device and the arithmetic of a run.
#[derive(Debug, Clone, Copy)]
pub struct Compute {
    /// Where encoder and heads live.
    pub device: Device,
    /// The 16 bits that forward passes run in; none: float32.
    pub autocast: Option<Kind>,
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
    pub fn select(config: &Config) -> Result<Self, Error> {
        Self::of_process(config, (0, 1))
    }

    /// As [`select`](Self::select), for one process of several on this machine: with its own number, from 0, and theirs.
    ///
    /// # Errors
    /// As [`select`](Self::select); fewer GPUs than processes.
    pub fn of_process(config: &Config, local: (usize, usize)) -> Result<Self, Error> {
        let selected = device::select_own(&config.train.device, local)?;
        if let Some(note) = &selected.note {
            tracing::info!("{note}");
        }
        if selected.device.is_cuda() {
            native::cuda_arithmetic(config.train.precision == Precision::Tf32, config.train.deterministic);
        }
        let autocast = match config.train.precision {
            Precision::Fp32 | Precision::Tf32 => None,
            Precision::Fp16 => Some(Kind::Half),
            Precision::Bf16 => Some(Kind::BFloat16),
            Precision::Auto => selected.bfloat16.then_some(Kind::BFloat16),
        };
        // Without gradients only one layer's activations are in memory; training keeps those of all layers and views.
        let train = &config.train;
        let embed_batch = EMBED_BATCH.min(4 * train.micro_batch_size.unwrap_or(train.batch_size));
        Ok(Self { device: selected.device, autocast, embed_batch })
    }

    /// The arithmetic as `train.precision` names it.
    pub fn precision(self, config: &Config) -> &'static str {
        match self.autocast {
            Some(Kind::Half) => "fp16",
            Some(_) => "bf16",
            None if self.device.is_cuda() && config.train.precision == Precision::Tf32 => "tf32",
            None => "fp32",
        }
    }

    /// An encoder with views, computing here.
    pub fn embedder<'a>(self, encoder: &'a dyn Encoder, views: &'a Views) -> Embedder<'a> {
        Embedder { encoder, views, device: self.device, autocast: self.autocast, batch: self.embed_batch }
    }
}
