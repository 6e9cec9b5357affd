//! SimSiam (Chen & He 2021).

use super::{Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, StepContext, negative_cosine, pair};
use crate::model::{
    Error, Layer, Network, ParameterGroup, PredictingNetwork, Prediction, ProjectionConfig, Rate, Result,
};
use schemars::JsonSchema;
use selfsame_encoder_api::Buffer;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

/// SimSiam: its predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimSiamConfig {
    /// Width of the predictor's hidden layer, at least 1; a quarter of the projections' length in the paper.
    #[schemars(range(min = 1))]
    pub predictor_hidden_dim: usize,
    /// Whether the predictor learns at the peak learning rate throughout, as in the authors' recipe, instead of by the
    /// schedule.
    pub constant_predictor_lr: bool,
}

impl Default for SimSiamConfig {
    fn default() -> Self {
        Self { predictor_hidden_dim: 512, constant_predictor_lr: true }
    }
}

/// One network, each view by itself, whose predictor predicts the other view's projection.
pub struct SimSiam {
    network: PredictingNetwork,
    predictor_rate: Rate,
}

impl Definition for SimSiam {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 3, hidden_dim: 2048, output_dim: 2048, batch_norm: true };

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let SimSiamConfig { predictor_hidden_dim: hidden, constant_predictor_lr } = config.simsiam;
        let projection = &config.projection;
        let network = Network::new(encoder()?, &projection.normalized_head(), device)?;
        let mut predictor = projection.predictor(hidden).hidden(Layer::LinearWithoutBias(hidden), Layer::Relu);
        predictor.push(Layer::Linear(projection.output_dim));
        let network = PredictingNetwork::new(network, projection.output_dim, &predictor, device)?;
        let predictor_rate = if constant_predictor_lr { Rate::Constant } else { Rate::Scheduled };
        Ok(Self { network, predictor_rate })
    }
}

impl Method for SimSiam {
    fn network(&self) -> &Network {
        &self.network.network
    }

    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        vec![
            ParameterGroup::scheduled(self.network.network.parameters()),
            ParameterGroup { parameters: self.network.predictor_parameters(), rate: self.predictor_rate },
        ]
    }

    fn running_statistics(&self) -> Vec<Buffer> {
        self.network.buffers()
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let mut outputs = Outputs::default();
        for view in views {
            let Prediction { features, projection, prediction } =
                self.network.predict(view, context.train, context.autocast)?;
            outputs.projections.push(prediction);
            outputs.targets.push(projection.f_detach()?);
            outputs.features.push(features);
        }
        Ok(outputs)
    }

    /// Equation 2.
    fn loss(&self, projections: &[Tensor], targets: &[Tensor], _context: &StepContext) -> Result<Loss> {
        let ([p1, p2], [z1, z2]) = (pair(projections)?, pair(targets)?);
        let both = negative_cosine(p1, z2)?.f_add(&negative_cosine(p2, z1)?)?;
        Ok(Loss { value: both.f_mul_scalar(0.5)?, metrics: Vec::new() })
    }
}
