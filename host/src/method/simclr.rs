//! SimCLR (Chen et al. 2020).

use super::{Loss, Method, Outputs, StepContext, nt_xent};
use crate::config::schema::MethodConfig;
use crate::model::{Network, Result};
use selfsame_encoder_api::Encoder;
use tch::{Device, Tensor};

/// One network; both views pass it in one batch.
pub struct SimClr {
    network: Network,
    temperature: f64,
}

impl SimClr {
    /// A projection head on top of `encoder`, on the same device.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(config: &MethodConfig, encoder: Box<dyn Encoder>, device: Device) -> Result<Self> {
        let network = Network::new(encoder, &config.projection, device)?;
        Ok(Self { network, temperature: config.temperature })
    }
}

impl Method for SimClr {
    fn network(&self) -> &Network {
        &self.network
    }

    fn outputs(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<Outputs> {
        let images = views[0].size().first().copied().unwrap_or_default();
        let (h, z) = self.network.forward(&Tensor::f_cat(views, 0)?, context.train, context.autocast)?;
        let h = h.f_detach()?;
        Ok(Outputs {
            projections: vec![z.f_narrow(0, 0, images)?, z.f_narrow(0, images, images)?],
            features: [h.f_narrow(0, 0, images)?, h.f_narrow(0, images, images)?],
        })
    }

    fn loss(&self, projections: &[Tensor], _targets: &[Tensor], _context: &StepContext) -> Result<Loss> {
        Ok(Loss { value: nt_xent(&Tensor::f_cat(projections, 0)?, self.temperature)?, metrics: Vec::new() })
    }
}
