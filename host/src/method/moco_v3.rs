//! MoCo v3 (Chen, Xie & He 2021).

use super::{Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, Seen, StepContext, Targets};
use super::{batch_loss, each_view, pair, rising_momentum};
use crate::model::{
    Error, MomentumNetwork, Network, ParameterGroup, PredictingNetwork, Prediction, ProjectionConfig, Result,
};
use schemars::JsonSchema;
use selfsame_encoder_api::Buffer;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// MoCo v3: its key encoder, its predictor and the patch embedding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MoCoV3Config {
    /// Temperature τ of InfoNCE, at least 0.001; the authors take 0.2 for ViTs and 1.0 for ResNet-50.
    #[schemars(range(min = 0.001))]
    pub temperature: f64,
    /// Momentum of the key encoder at the first step, in [0, 1]; it rises to 1 at the last step by half a cosine.
    #[schemars(range(min = 0, max = 1))]
    pub momentum: f64,
    /// Width of the predictor's hidden layer, at least 1.
    #[schemars(range(min = 1))]
    pub predictor_hidden_dim: usize,
    /// Leave a ViT's patch embedding (parameters that begin with `patch_embed.`) as it is at the start, which keeps large
    /// batches stable. Other encoders have none.
    pub freeze_patch_embedding: bool,
}

impl Default for MoCoV3Config {
    fn default() -> Self {
        Self { temperature: 0.2, momentum: 0.99, predictor_hidden_dim: 4096, freeze_patch_embedding: true }
    }
}

/// A network with a predictor that tells the key of the other view of an image from those of the other images of the batch,
/// in both directions.
pub struct MoCoV3 {
    network: PredictingNetwork,
    key_network: MomentumNetwork,
    config: MoCoV3Config,
}

impl Definition for MoCoV3 {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 3, hidden_dim: 4096, output_dim: 256, batch_norm: true };

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let (projection, config) = (&config.projection, config.moco_v3.clone());
        let head = projection.normalized_head();
        let (query_encoder, key_encoder) = (encoder()?, encoder()?);
        let network = Network::new(query_encoder, &head, device)?;
        let predictor = projection.predictor(config.predictor_hidden_dim).normalized_head();
        let network = PredictingNetwork::new(network, projection.output_dim, &predictor, device)?;
        let key_network = MomentumNetwork::new(&network.network, key_encoder, &head, device)?;
        if config.freeze_patch_embedding {
            let parameters = network.network.encoder.parameters().into_iter();
            for mut parameter in parameters.filter(|parameter| parameter.name.starts_with("patch_embed.")) {
                let _ = parameter.tensor.f_requires_grad_(false).map_err(Error::from)?;
            }
        }
        Ok(Self { network, key_network, config })
    }
}

impl Method for MoCoV3 {
    fn network(&self) -> &Network {
        &self.network.network
    }

    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        vec![ParameterGroup::scheduled(self.network.parameters())]
    }

    fn running_statistics(&self) -> Vec<Buffer> {
        self.network.buffers()
    }

    fn followers(&self) -> Vec<Buffer> {
        self.key_network.tensors("key")
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let mut outputs = Outputs::default();
        for view in views {
            let Prediction { features, prediction, .. } =
                self.network.predict(view, context.train, context.autocast)?;
            outputs.projections.push(prediction);
            outputs.features.push(features);
        }
        Ok(outputs)
    }

    fn targets(&mut self, views: &[Tensor], context: &StepContext) -> Result<Targets> {
        let (_, projections) = self.key_network.frozen(|network| each_view(network, views, context))?;
        Ok(Targets { projections, features: None })
    }

    fn loss(&self, projections: &[Tensor], targets: &[Tensor], context: &StepContext) -> Result<Loss> {
        let ([q1, q2], [k1, k2]) = (pair(projections)?, pair(targets)?);
        let temperature = self.config.temperature;
        let value = batch_loss(q1, k2, temperature)?.f_add(&batch_loss(q2, k1, temperature)?)?;
        let momentum = rising_momentum(self.config.momentum, context);
        Ok(Loss { value, metrics: vec![("momentum", Tensor::from(momentum))] })
    }

    fn after_step(&mut self, _seen: &Seen, context: &StepContext) -> Result<()> {
        self.key_network.update(rising_momentum(self.config.momentum, context))
    }
}
