//! LeJEPA (Balestriero & LeCun 2025, arXiv 2511.08544).

use super::{Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, StepContext, lejepa_prediction, sigreg};
use crate::data::upload;
use crate::model::{Error, Network, ProjectionConfig, Result};
use crate::random;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use tch::{Device, Tensor};

/// LeJEPA: the weight and the directions of its regulariser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LeJepaConfig {
    /// λ, the weight of SIGReg; 1 − λ is that of the prediction. In [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub lambda: f64,
    /// Random directions that the embeddings are projected on in each step, at least 1.
    #[schemars(range(min = 1))]
    pub directions: usize,
}

impl Default for LeJepaConfig {
    fn default() -> Self {
        Self { lambda: 0.05, directions: 256 }
    }
}

/// One network, without teacher, predictor or stopped gradient: all views of an image predict the mean of its global ones
/// (those of the first view's size), and the embeddings of each view are to be distributed as a standard normal.
pub struct LeJepa {
    network: Network,
    config: LeJepaConfig,
}

impl LeJepa {
    /// Columns of length 1, `[d, directions]`, a function of seed and step. The validation loss has directions of its own.
    fn directions(&self, dim: i64, device: Device, context: &StepContext) -> Result<Tensor> {
        let parts: &[u64] = if context.train { &[context.step] } else { &[] };
        let generator = random::generator(context.seed, "sigreg directions", parts);
        let count = self.config.directions as i64;
        let numbers: Vec<f32> = StandardNormal.sample_iter(generator).take((dim * count) as usize).collect();
        let columns = upload(&Tensor::f_from_slice(&numbers)?, device)?;
        let columns = columns.f_view([dim, count])?;
        Ok(columns.f_div(&columns.f_norm_scalaropt_dim(2, 0, true)?)?)
    }
}

impl Definition for LeJepa {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 3, hidden_dim: 2048, output_dim: 16, batch_norm: true };

    const VIEWS: RangeInclusive<usize> = 2..=usize::MAX;

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let network = Network::new(encoder()?, &config.projection.head(), device)?;
        Ok(Self { network, config: config.lejepa.clone() })
    }
}

impl Method for LeJepa {
    fn network(&self) -> &Network {
        &self.network
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let outputs = self.network.forward_together(views, context.train, context.autocast)?;
        let features = outputs[..context.global_views].iter().map(|(h, _)| h.f_detach()).collect::<Result<_, _>>()?;
        let projections = outputs.into_iter().map(|(_, z)| z).collect();
        Ok(Outputs { projections, targets: Vec::new(), features })
    }

    fn loss(&self, projections: &[Tensor], _targets: &[Tensor], context: &StepContext) -> Result<Loss> {
        let (_, dim) = projections[0].size2()?;
        let directions = self.directions(dim, projections[0].device(), context)?;
        let prediction = lejepa_prediction(&projections[..context.global_views], projections)?;
        let statistics = projections.iter().map(|z| sigreg(z, &directions)).collect::<Result<Vec<_>>>()?;
        let statistic = Tensor::f_stack(&statistics, 0)?.f_mean(None)?;
        let lambda = self.config.lambda;
        let value = prediction.f_mul_scalar(1.0 - lambda)?.f_add(&statistic.f_mul_scalar(lambda)?)?;
        Ok(Loss { value, metrics: vec![("prediction", prediction.detach()), ("sigreg", statistic.detach())] })
    }
}
