//! Self-supervised methods: two views of the same images in, a loss out.
//!
//! A method is one file here and one line in [`create`].

mod nt_xent;
mod simclr;

pub use nt_xent::nt_xent;
pub use simclr::SimClr;

use crate::config::Config;
use crate::config::schema::MethodName;
use crate::model::Result;
use selfsame_plugin_api::{Buffer, Encoder, Parameter};
use tch::{Device, Tensor};

/// A self-supervised method with everything that it trains.
pub trait Method: Send {
    /// All trainable tensors in a fixed order, prefixed by their part: `encoder.`, `projection.`.
    fn parameters(&self) -> Vec<Parameter>;

    /// All saved tensors that are not trained, in a fixed order, prefixed like the parameters.
    fn buffers(&self) -> Vec<Buffer>;

    /// The encoder whose embedding is evaluated and exported.
    fn encoder(&self) -> &dyn Encoder;

    /// The loss of one batch. `views` are two views of the same B images in the same order, each `[B, C, H, W]`.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    fn step(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<StepOutput>;

    /// Called once after the optimiser has taken each training step.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    fn after_step(&mut self, _context: &StepContext) -> Result<()> {
        Ok(())
    }
}

/// Where in the run a batch stands, and how it is computed.
#[derive(Debug, Clone, Copy)]
pub struct StepContext {
    /// Steps taken before this one, over all epochs.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// False for the validation loss: no gradients, and normalisation by running statistics.
    pub train: bool,
    /// Run encoder and heads in bfloat16 where libtorch's autocast says so; losses are computed outside of it.
    pub autocast: bool,
}

/// What one batch gave.
#[derive(Debug)]
pub struct StepOutput {
    /// A float32 scalar; carries the graph when training.
    pub loss: Tensor,
    /// Embeddings of view 1 above those of view 2, `[2B, D]`, float32, detached.
    pub features: Tensor,
    /// Scalars to log, under their full metric names.
    pub metrics: Vec<(&'static str, Tensor)>,
}

/// Makes the configured method around an encoder; heads are initialised from libtorch's global generator.
///
/// # Errors
/// Anything libtorch refuses, such as a full device.
pub fn create(config: &Config, encoder: Box<dyn Encoder>, device: Device) -> Result<Box<dyn Method>> {
    Ok(match config.train.self_supervision.method {
        MethodName::Simclr => Box::new(SimClr::new(&config.method, encoder, device)?),
    })
}
