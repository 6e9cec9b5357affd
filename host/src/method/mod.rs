//! Self-supervised methods: two views of the same images in, a loss out.
//!
//! A method is one file here and one line in [`create`]; its name and settings stand in the configuration's schema.

mod barlow_twins;
mod byol;
mod dino_loss;
mod ema_encoder;
mod gradient_cache;
mod info_nce;
mod negative_cosine;
mod nt_xent;
mod sigreg;
mod simclr;
mod vicreg;

pub use barlow_twins::{BarlowTwins, barlow_twins_loss};
pub use byol::{Byol, byol_loss, tau};
pub use dino_loss::{centre_of, dino_loss};
pub use ema_encoder::EmaEncoder;
pub use gradient_cache::{cached_gradient_step, loss_in_pieces};
pub use info_nce::{batch_loss, queue_loss};
pub use negative_cosine::negative_cosine;
pub use nt_xent::nt_xent;
pub use sigreg::{lejepa_prediction, sigreg};
pub use simclr::SimClr;
pub use vicreg::{VicReg, vicreg_terms};

use crate::config::Config;
use crate::config::schema::MethodName;
use crate::model::{Error, Network, Result};
use selfsame_encoder_api::{Buffer, Encoder, Parameter};
use tch::{Device, Tensor};

/// A self-supervised method with everything that it trains.
///
/// It computes in two parts, so that a batch may pass the network in pieces and still meet one loss: what each image is
/// mapped to ([`outputs`](Self::outputs), [`targets`](Self::targets)), and the loss of all of them together.
pub trait Method: Send {
    /// The encoder that learns, under its projection head.
    fn network(&self) -> &Network;

    /// All trainable tensors in a fixed order, prefixed by their part: `encoder.`, `projection.`.
    fn parameters(&self) -> Vec<Parameter> {
        self.network().parameters()
    }

    /// All saved tensors that are not trained, in a fixed order, prefixed like the parameters.
    fn buffers(&self) -> Vec<Buffer> {
        self.network().buffers()
    }

    /// The encoder whose embedding is evaluated and exported.
    fn encoder(&self) -> &dyn Encoder {
        self.network().encoder.as_ref()
    }

    /// Which of the run's encoders that is, for people.
    fn embedding(&self) -> String {
        "the trained encoder".into()
    }

    /// What the loss sees of some images. `views` are two views of the same B images in the same order, each
    /// `[B, C, H, W]`.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    fn outputs(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<Outputs>;

    /// What networks that do not learn make of the same images; nothing where there are none.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    fn targets(&mut self, _views: &[Tensor; 2], _context: &StepContext) -> Result<Targets> {
        Ok(Targets::default())
    }

    /// The loss of a whole batch. Called outside of autocast.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    fn loss(&self, projections: &[Tensor], targets: &[Tensor], context: &StepContext) -> Result<Loss>;

    /// Called once after the optimiser has taken each training step.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    fn after_step(&mut self, _context: &StepContext) -> Result<()> {
        Ok(())
    }

    /// The loss of one batch that passes the network in one piece.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    fn step(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<StepOutput> {
        let _no_grad = (!context.train).then(tch::no_grad_guard);
        let Outputs { projections, features } = self.outputs(views, context)?;
        let targets = self.targets(views, context)?;
        let Loss { value, metrics } = self.loss(&projections, &targets.projections, context)?;
        let features = Tensor::f_cat(&targets.features.unwrap_or(features), 0)?;
        Ok(StepOutput { loss: value, features, metrics })
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

/// What a method makes of B images.
#[derive(Debug)]
pub struct Outputs {
    /// What the loss sees, `[B, d]` each, float32, row by row the same images; carries the graph when training.
    pub projections: Vec<Tensor>,
    /// The embeddings of view 1 and of view 2 by the encoder that learns, `[B, D]` each, float32, detached.
    pub features: [Tensor; 2],
}

/// What networks that do not learn make of B images; float32, without a graph.
#[derive(Debug, Default)]
pub struct Targets {
    /// What the loss compares the outputs with, `[B, d]` each.
    pub projections: Vec<Tensor>,
    /// The embeddings of both views, `[B, D]` each, by the encoder that is evaluated, where it is not the one that learns.
    pub features: Option<[Tensor; 2]>,
}

/// The loss of a batch.
#[derive(Debug)]
pub struct Loss {
    /// A float32 scalar.
    pub value: Tensor,
    /// Scalars to log, under their full metric names.
    pub metrics: Vec<(&'static str, Tensor)>,
}

/// What one batch gave.
#[derive(Debug)]
pub struct StepOutput {
    /// A float32 scalar; from [`Method::step`] it carries the graph when training.
    pub loss: Tensor,
    /// Embeddings of view 1 above those of view 2 by the encoder that is evaluated, `[2B, D]`, float32, detached.
    pub features: Tensor,
    /// Scalars to log, under their full metric names.
    pub metrics: Vec<(&'static str, Tensor)>,
}

/// Makes the configured method; heads are initialised from libtorch's global generator. `encoder` makes an encoder of the
/// configured kind each time that it is called; the first one is the one that is trained. `with_features`: the online head
/// learns from the features of the training steps.
///
/// # Errors
/// What `encoder` returns, and anything libtorch refuses, such as a full device.
pub fn create<E: From<Error>>(
    config: &Config,
    encoder: impl Fn() -> Result<Box<dyn Encoder>, E>,
    device: Device,
    with_features: bool,
) -> Result<Box<dyn Method>, E> {
    let settings = &config.method;
    let method: Box<dyn Method> = match config.train.self_supervision.method {
        MethodName::Simclr => Box::new(SimClr::new(settings, encoder()?, device)?),
        MethodName::Byol => Box::new(Byol::new(settings, encoder()?, encoder()?, device)?),
        MethodName::BarlowTwins => Box::new(BarlowTwins::new(settings, encoder()?, device)?),
        MethodName::Vicreg => Box::new(VicReg::new(settings, encoder()?, device)?),
    };
    Ok(match config.train.encoder_ema_decay {
        Some(decay) => Box::new(EmaEncoder::new(method, encoder()?, decay, with_features)?),
        None => method,
    })
}

/// Each view through the network by itself, so that batch norm sees one view at a time.
fn each_view(network: &Network, views: &[Tensor; 2], context: &StepContext) -> Result<Outputs> {
    let (h1, z1) = network.forward(&views[0], context.train, context.autocast)?;
    let (h2, z2) = network.forward(&views[1], context.train, context.autocast)?;
    Ok(Outputs { projections: vec![z1, z2], features: [h1.f_detach()?, h2.f_detach()?] })
}

/// The two inputs of a loss that compares two lists of projections.
fn pair(tensors: &[Tensor]) -> Result<[&Tensor; 2]> {
    match tensors {
        [first, second] => Ok([first, second]),
        _ => Err(Error::Input(format!("the loss takes the projections of two views, not of {}", tensors.len()))),
    }
}
