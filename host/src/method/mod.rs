//! Self-supervised methods: views of the same images in, a loss out.
//!
//! A method is one file here and one row in `registry.rs`.

mod barlow_twins;
mod byol;
mod dino;
mod dino_loss;
mod dino_targets;
mod ema_encoder;
mod gradient_cache;
mod info_nce;
mod lejepa;
mod moco_v2;
mod moco_v3;
mod momentum;
mod negative_cosine;
mod nt_xent;
mod registry;
mod sigreg;
mod simclr;
mod simsiam;
mod together;
mod vicreg;

pub use barlow_twins::{BarlowTwins, BarlowTwinsConfig, barlow_twins_loss};
pub use byol::{Byol, ByolConfig, ByolEmbedding, byol_loss};
pub use dino::{Dino, DinoCentring, DinoConfig, DinoEmbedding};
pub use dino_loss::dino_loss;
pub use dino_targets::{centre_of, centred, sinkhorn_knopp};
pub use ema_encoder::EmaEncoder;
pub use gradient_cache::{cached_gradient_step, loss_in_pieces, scaled, shared_step};
pub use info_nce::{batch_loss, queue_loss};
pub use lejepa::{LeJepa, LeJepaConfig};
pub use moco_v2::{MoCoV2, MoCoV2Config};
pub use moco_v3::{MoCoV3, MoCoV3Config};
pub use momentum::rising_momentum;
pub use negative_cosine::negative_cosine;
pub use nt_xent::nt_xent;
pub use registry::{MethodConfig, MethodName};
pub use sigreg::{lejepa_prediction, sigreg};
pub use simclr::SimClr;
pub use simsiam::{SimSiam, SimSiamConfig};
pub use together::Together;
pub use vicreg::{VicReg, VicRegConfig, vicreg_terms};

use crate::model::{Error, Network, ParameterGroup, ProjectionConfig, Result};
use crate::stopwatch::{self, Stage};
use selfsame_encoder_api::{Buffer, Encoder, Parameter};
use std::ops::RangeInclusive;
use tch::{Device, Kind, Tensor};

/// A self-supervised method with everything that it trains.
///
/// It computes in two parts, so that a batch may pass the network in pieces and still meet one loss: what each image is
/// mapped to ([`outputs`](Self::outputs), [`targets`](Self::targets)), and the loss of all of them together, which changes
/// nothing. What follows along (averages, queues, centres) changes once a step, in [`after_step`](Self::after_step), by what
/// the whole batch gave.
pub trait Method: Send {
    /// The encoder that learns, under its projection head.
    fn network(&self) -> &Network;

    /// All trainable tensors in a fixed order, prefixed by their part: `encoder.`, `projection.`.
    fn parameters(&self) -> Vec<Parameter> {
        self.parameter_groups().into_iter().flat_map(|group| group.parameters).collect()
    }

    /// The same tensors by how they learn.
    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        vec![ParameterGroup::scheduled(self.network().parameters())]
    }

    /// The tensors that forward passes in training move, in a fixed order, prefixed like the parameters. A batch that passes
    /// in pieces twice moves them once: they are put back in between.
    fn running_statistics(&self) -> Vec<Buffer> {
        self.network().buffers()
    }

    /// The tensors that change after a step alone: networks that follow, queues, centres.
    fn followers(&self) -> Vec<Buffer> {
        Vec::new()
    }

    /// All saved tensors that are not trained.
    fn buffers(&self) -> Vec<Buffer> {
        self.running_statistics().into_iter().chain(self.followers()).collect()
    }

    /// The encoder whose embedding is evaluated and exported.
    fn encoder(&self) -> &dyn Encoder {
        self.network().encoder.as_ref()
    }

    /// Which of the run's encoders that is, for people.
    fn embedding(&self) -> String {
        "the trained encoder".into()
    }

    /// What the loss sees of some images. `views` are views of the same B images in the same order, each `[B, C, h, w]`, as
    /// many as [`MethodName::views`] allows.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs>;

    /// What networks that do not learn make of the same images; nothing where there are none.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    fn targets(&mut self, _views: &[Tensor], _context: &StepContext) -> Result<Targets> {
        Ok(Targets::default())
    }

    /// The loss of a whole batch: of its projections and of its targets, first those that came with the outputs. Called
    /// outside of autocast.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    fn loss(&self, projections: &[Tensor], targets: &[Tensor], context: &StepContext) -> Result<Loss>;

    /// Called in each training step when the gradients of the whole batch are there and the optimiser has not moved yet.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    fn before_update(&mut self, _context: &StepContext) -> Result<()> {
        Ok(())
    }

    /// Called once after the optimiser has taken each training step, with what the whole batch gave.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    fn after_step(&mut self, _seen: &Seen, _context: &StepContext) -> Result<()> {
        Ok(())
    }

    /// The loss of one batch that passes the network in one piece.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    fn step(&mut self, views: &[Tensor], context: &StepContext) -> Result<StepOutput> {
        let _no_grad = (!context.train).then(tch::no_grad_guard);
        stopwatch::enter(Stage::Forward)?;
        let Outputs { projections, mut targets, features } = self.outputs(views, context)?;
        let by_others = self.targets(views, context)?;
        targets.extend(by_others.projections);
        stopwatch::enter(Stage::Loss)?;
        let Loss { value, metrics } = self.loss(&projections, &targets, context)?;
        let features = Tensor::f_cat(&by_others.features.unwrap_or(features), 0)?;
        let projections = projections.iter().map(Tensor::f_detach).collect::<Result<_, _>>()?;
        Ok(StepOutput { loss: value, features, seen: Seen { projections, targets }, metrics })
    }
}

/// Makes an encoder of the configured kind each time that it is called.
pub type MakeEncoder<'a, E> = &'a dyn Fn() -> Result<Box<dyn Encoder>, E>;

/// What the registry knows of a method.
trait Definition: Method + Sized + 'static {
    /// The projection head where nothing is set.
    const PROJECTION: ProjectionConfig;

    /// How many views of an image it takes.
    const VIEWS: RangeInclusive<usize> = 2..=2;

    /// See [`MethodName::averages`].
    fn averages(_config: &MethodConfig) -> Option<&'static str> {
        None
    }

    /// See [`MethodName::refusals`].
    fn refusals(_config: &MethodConfig, _batch_size: usize) -> Vec<Refusal> {
        Vec::new()
    }

    /// See [`MethodName::create`].
    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E>;
}

/// A value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The configuration's key.
    pub key: &'static str,
    /// What stands there.
    pub value: String,
    /// What is expected instead.
    pub expected: String,
}

/// Where in the run a batch stands, and how it is computed.
#[derive(Debug, Clone, Copy)]
pub struct StepContext {
    /// The run's seed.
    pub seed: u64,
    /// Steps taken before this one, over all epochs.
    pub step: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// How many of the views, from the first, are global ones: those of the first one's size (Caron et al. 2021, section 3.1).
    pub global_views: usize,
    /// False for the validation loss: no gradients, and normalisation by running statistics.
    pub train: bool,
    /// Run encoder and heads in this kind of 16 bits where libtorch's autocast says so; losses are computed outside of it.
    pub autocast: Option<Kind>,
    /// What the loss is multiplied with before gradients are computed.
    pub loss_scale: f64,
}

impl StepContext {
    /// Epochs done before this step, with the part of the epoch at hand.
    #[must_use]
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch as f64
    }
}

/// What a method makes of B images.
#[derive(Debug, Default)]
pub struct Outputs {
    /// What the loss sees, `[B, d]` each, float32, row by row the same images; carries the graph when training.
    pub projections: Vec<Tensor>,
    /// What the same pass gives for the loss to compare them with, `[B, d]` each, float32, detached.
    pub targets: Vec<Tensor>,
    /// The embeddings that the online head learns from, by the encoder that learns: `[B, D]` a view, float32, detached.
    pub features: Vec<Tensor>,
}

/// What networks that do not learn make of B images; float32, without a graph.
#[derive(Debug, Default)]
pub struct Targets {
    /// What the loss compares the outputs with, `[B, d]` each.
    pub projections: Vec<Tensor>,
    /// The embeddings that the online head learns from, `[B, D]` a view, by the encoder that is evaluated, where it is not
    /// the one that learns.
    pub features: Option<Vec<Tensor>>,
}

/// The loss of a batch.
#[derive(Debug)]
pub struct Loss {
    /// A float32 scalar.
    pub value: Tensor,
    /// Scalars to log, under their names within the method.
    pub metrics: Vec<(&'static str, Tensor)>,
}

/// What the loss of a whole batch saw; detached.
#[derive(Debug, Default)]
pub struct Seen {
    /// The projections, `[B, d]` each.
    pub projections: Vec<Tensor>,
    /// The targets, `[B, d]` each, first those that came with the outputs.
    pub targets: Vec<Tensor>,
}

/// What one batch gave.
#[derive(Debug)]
pub struct StepOutput {
    /// A float32 scalar; from [`Method::step`] it carries the graph when training.
    pub loss: Tensor,
    /// Embeddings for the online head, view by view one above the other, `[views · B, D]`, by the encoder that is evaluated;
    /// float32, detached.
    pub features: Tensor,
    /// What the loss saw.
    pub seen: Seen,
    /// Scalars to log, under their names within the method.
    pub metrics: Vec<(&'static str, Tensor)>,
}

/// Each view through the network by itself, so that batch norm sees one view at a time: embeddings, detached, and
/// projections.
fn each_view(network: &Network, views: &[Tensor], context: &StepContext) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
    let (mut features, mut projections) = (Vec::new(), Vec::new());
    for view in views {
        let (h, z) = network.forward(view, context.train, context.autocast)?;
        features.push(h.f_detach()?);
        projections.push(z);
    }
    Ok((features, projections))
}

/// The two views, projections or targets of a method that takes two.
fn pair(tensors: &[Tensor]) -> Result<[&Tensor; 2]> {
    match tensors {
        [first, second] => Ok([first, second]),
        _ => Err(Error::Input(format!("the method takes two views of each image, not {}", tensors.len()))),
    }
}
