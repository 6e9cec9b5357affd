//! BYOL (Grill et al. 2020).

use super::{Loss, Method, Outputs, StepContext, Targets, pair};
use crate::config::schema::{ByolEmbedding, MethodConfig, ProjectionConfig};
use crate::model::{Ema, Network, ProjectionHead, Result, Snapshot, prefix_buffers, prefix_parameters};
use crate::native;
use selfsame_encoder_api::{Buffer, Encoder, Parameter};
use std::f64::consts::PI;
use tch::{Device, Kind, Tensor};

/// An online network that predicts what a target network, its moving average, makes of the other view.
///
/// In training, both normalise by the batch, each view for itself, as the authors' code does. The target's running
/// statistics are the average of the online network's, like its weights: its own batches do not move them.
pub struct Byol {
    online: Network,
    predictor: ProjectionHead,
    target: Network,
    target_statistics: Snapshot,
    ema: Ema,
    tau_base: f64,
    embedding: ByolEmbedding,
}

impl Byol {
    /// Projection head and predictor on top of `online`, and a target that starts as an equal network around `target`,
    /// another encoder of the same kind.
    ///
    /// # Errors
    /// Encoders that differ; anything libtorch refuses, such as a full device.
    pub fn new(
        config: &MethodConfig,
        online: Box<dyn Encoder>,
        target: Box<dyn Encoder>,
        device: Device,
    ) -> Result<Self> {
        let projection = &config.projection;
        let online = Network::new(online, projection, device)?;
        let shape = ProjectionConfig { layers: 2, hidden_dim: config.byol.predictor_hidden_dim, ..projection.clone() };
        let predictor = ProjectionHead::new(projection.output_dim, &shape, device)?;
        let target = Network::new(target, projection, device)?;
        let ema = Ema::new((online.parameters(), online.buffers()), (target.parameters(), target.buffers()))?;
        let target_statistics = Snapshot::new(target.buffers())?;
        let config = &config.byol;
        let (tau_base, embedding) = (config.tau_base, config.embedding);
        Ok(Self { online, predictor, target, target_statistics, ema, tau_base, embedding })
    }
}

impl Method for Byol {
    fn network(&self) -> &Network {
        &self.online
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = self.online.parameters();
        parameters.extend(prefix_parameters("predictor", self.predictor.parameters()));
        parameters
    }

    fn buffers(&self) -> Vec<Buffer> {
        let mut buffers = self.online.buffers();
        buffers.extend(prefix_buffers("predictor", self.predictor.buffers()));
        let untrained = |p: Parameter| Buffer { name: p.name, tensor: p.tensor };
        buffers.extend(prefix_buffers("target", self.target.parameters().into_iter().map(untrained).collect()));
        buffers.extend(prefix_buffers("target", self.target.buffers()));
        buffers
    }

    fn encoder(&self) -> &dyn Encoder {
        match self.embedding {
            ByolEmbedding::Online => self.online.encoder.as_ref(),
            ByolEmbedding::Target => self.target.encoder.as_ref(),
        }
    }

    fn embedding(&self) -> String {
        match self.embedding {
            ByolEmbedding::Online => "the online encoder".into(),
            ByolEmbedding::Target => "the target encoder".into(),
        }
    }

    fn outputs(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<Outputs> {
        let predict = |view: &Tensor| -> Result<(Tensor, Tensor)> {
            let (h, z) = self.online.forward(view, context.train, context.autocast)?;
            let _autocast = context.autocast.then(|| native::autocast_bf16(view.device())).transpose()?;
            let q = self.predictor.forward(&z, context.train)?;
            Ok((h.f_detach()?, q.f_to_kind(Kind::Float)?))
        };
        let ((h1, q1), (h2, q2)) = (predict(&views[0])?, predict(&views[1])?);
        Ok(Outputs { projections: vec![q1, q2], features: [h1, h2] })
    }

    fn targets(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<Targets> {
        let _no_grad = tch::no_grad_guard();
        self.target_statistics.take()?;
        let (h1, t1) = self.target.forward(&views[0], context.train, context.autocast)?;
        let (h2, t2) = self.target.forward(&views[1], context.train, context.autocast)?;
        self.target_statistics.restore()?;
        let features = (self.embedding == ByolEmbedding::Target).then_some([h1, h2]);
        Ok(Targets { projections: vec![t1, t2], features })
    }

    fn loss(&self, projections: &[Tensor], targets: &[Tensor], context: &StepContext) -> Result<Loss> {
        let ([q1, q2], [t1, t2]) = (pair(projections)?, pair(targets)?);
        let value = byol_loss(q1, t2)?.f_add(&byol_loss(q2, t1)?)?;
        Ok(Loss { value, metrics: vec![("byol/tau", Tensor::from(tau(self.tau_base, context)))] })
    }

    fn after_step(&mut self, context: &StepContext) -> Result<()> {
        self.ema.update(tau(self.tau_base, context))
    }
}

/// The mean over rows of 2 − 2·cos(q, t), equation 2; `[B, d]` each, a scalar. The whole loss is the sum for both
/// directions.
///
/// # Errors
/// Shapes that differ; anything else libtorch refuses.
pub fn byol_loss(prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
    let cosine = Tensor::f_cosine_similarity(prediction, target, 1, 1e-8)?;
    Ok(cosine.f_mean(None)?.f_mul_scalar(-2.0)?.f_add_scalar(2.0)?)
}

/// τ = 1 − (1 − `base`) · (cos(πk/K) + 1)/2 of step k of K, as among its implementation details; so a resumed run needs no state of its own.
#[must_use]
pub fn tau(base: f64, context: &StepContext) -> f64 {
    let progress = context.step as f64 / context.total_steps as f64;
    1.0 - (1.0 - base) * ((PI * progress).cos() + 1.0) / 2.0
}
