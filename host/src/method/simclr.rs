//! SimCLR (Chen et al. 2020).

use super::{Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, StepContext, nt_xent};
use crate::model::{Error, Network, ProjectionConfig, Result};
use tch::{Device, Tensor};

/// One network; both views pass it in one batch.
pub struct SimClr {
    network: Network,
    temperature: f64,
}

impl Definition for SimClr {
    /// The recipe for CIFAR-10: two layers without batch norm.
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 2, hidden_dim: 1024, output_dim: 128, batch_norm: false };

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let network = Network::new(encoder()?, &config.projection.head(), device)?;
        Ok(Self { network, temperature: config.temperature })
    }
}

impl Method for SimClr {
    fn network(&self) -> &Network {
        &self.network
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let outputs = self.network.forward_together(views, context.train, context.autocast)?;
        let (features, projections): (Vec<_>, Vec<_>) = outputs.into_iter().unzip();
        let features = features.iter().map(Tensor::f_detach).collect::<Result<_, _>>()?;
        Ok(Outputs { projections, targets: Vec::new(), features })
    }

    fn loss(&self, projections: &[Tensor], _targets: &[Tensor], _context: &StepContext) -> Result<Loss> {
        Ok(Loss { value: nt_xent(&Tensor::f_cat(projections, 0)?, self.temperature)?, metrics: Vec::new() })
    }
}
