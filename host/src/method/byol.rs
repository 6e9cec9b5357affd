//! BYOL (Grill et al. 2020).

use super::{
    Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, Seen, StepContext, Targets, each_view, pair,
    rising_momentum,
};
use crate::model::{
    Error, MomentumNetwork, Network, ParameterGroup, PredictingNetwork, Prediction, ProjectionConfig, Result,
};
use schemars::JsonSchema;
use selfsame_encoder_api::{Buffer, Encoder};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// BYOL: its target network and its predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ByolConfig {
    /// τ of the target's moving average at the first step, in [0, 1]; it rises to 1 at the last step by half a cosine.
    /// The authors take 0.99 for runs of 100 and 300 epochs, 0.996 for 1000.
    #[schemars(range(min = 0, max = 1))]
    pub tau_base: f64,
    /// Width of the predictor's hidden layer, at least 1.
    #[schemars(range(min = 1))]
    pub predictor_hidden_dim: usize,
    /// The network whose embedding is evaluated and exported: `online` or `target`.
    pub embedding: ByolEmbedding,
}

impl Default for ByolConfig {
    fn default() -> Self {
        Self { tau_base: 0.99, predictor_hidden_dim: 4096, embedding: ByolEmbedding::Online }
    }
}

/// BYOL's two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ByolEmbedding {
    /// The network that learns.
    Online,
    /// Its moving average.
    Target,
}

/// An online network that predicts what a target network, its moving average, makes of the other view.
///
/// In training, both normalise by the batch, each view for itself, as the authors' code does. The target's running
/// statistics are the average of the online network's, like its weights: its own batches do not move them.
pub struct Byol {
    online: PredictingNetwork,
    target: MomentumNetwork,
    tau_base: f64,
    embedding: ByolEmbedding,
}

impl Definition for Byol {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 2, hidden_dim: 4096, output_dim: 256, batch_norm: true };

    fn averages(config: &MethodConfig) -> Option<&'static str> {
        (config.byol.embedding == ByolEmbedding::Target).then_some("method.byol.embedding: target")
    }

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let (online, target) = (encoder()?, encoder()?);
        let (projection, ByolConfig { tau_base, predictor_hidden_dim, embedding }) =
            (&config.projection, config.byol.clone());
        let online = Network::new(online, &projection.head(), device)?;
        let predictor = projection.predictor(predictor_hidden_dim).head();
        let online = PredictingNetwork::new(online, projection.output_dim, &predictor, device)?;
        let target = MomentumNetwork::new(&online.network, target, &projection.head(), device)?;
        Ok(Self { online, target, tau_base, embedding })
    }
}

impl Method for Byol {
    fn network(&self) -> &Network {
        &self.online.network
    }

    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        vec![ParameterGroup::scheduled(self.online.parameters())]
    }

    fn running_statistics(&self) -> Vec<Buffer> {
        self.online.buffers()
    }

    fn followers(&self) -> Vec<Buffer> {
        self.target.tensors("target")
    }

    fn encoder(&self) -> &dyn Encoder {
        match self.embedding {
            ByolEmbedding::Online => self.online.network.encoder.as_ref(),
            ByolEmbedding::Target => self.target.encoder(),
        }
    }

    fn embedding(&self) -> String {
        match self.embedding {
            ByolEmbedding::Online => "the online encoder".into(),
            ByolEmbedding::Target => "the target encoder".into(),
        }
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let mut outputs = Outputs::default();
        for view in views {
            let Prediction { features, prediction, .. } = self.online.predict(view, context.train, context.autocast)?;
            outputs.projections.push(prediction);
            outputs.features.push(features);
        }
        Ok(outputs)
    }

    fn targets(&mut self, views: &[Tensor], context: &StepContext) -> Result<Targets> {
        let (features, projections) = self.target.frozen(|target| each_view(target, views, context))?;
        Ok(Targets { projections, features: (self.embedding == ByolEmbedding::Target).then_some(features) })
    }

    fn loss(&self, projections: &[Tensor], targets: &[Tensor], context: &StepContext) -> Result<Loss> {
        let ([q1, q2], [t1, t2]) = (pair(projections)?, pair(targets)?);
        let value = byol_loss(q1, t2)?.f_add(&byol_loss(q2, t1)?)?;
        Ok(Loss { value, metrics: vec![("tau", Tensor::from(rising_momentum(self.tau_base, context)))] })
    }

    fn after_step(&mut self, _seen: &Seen, context: &StepContext) -> Result<()> {
        self.target.update(rising_momentum(self.tau_base, context))
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
