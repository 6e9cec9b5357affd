//! SimCLR (Chen et al. 2020).

use super::{Method, StepContext, StepOutput, nt_xent};
use crate::config::schema::MethodConfig;
use crate::model::{ProjectionHead, Result, prefix_buffers, prefix_parameters};
use crate::native;
use selfsame_plugin_api::{Buffer, Encoder, Parameter};
use tch::{Device, Kind, Tensor};

/// One encoder and one projection head; both views pass them in one batch.
pub struct SimClr {
    encoder: Box<dyn Encoder>,
    projection: ProjectionHead,
    temperature: f64,
}

impl SimClr {
    /// A projection head on top of `encoder`, on the same device.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(config: &MethodConfig, encoder: Box<dyn Encoder>, device: Device) -> Result<Self> {
        let projection = ProjectionHead::new(encoder.feature_dim(), &config.projection, device)?;
        Ok(Self { encoder, projection, temperature: config.temperature })
    }
}

impl Method for SimClr {
    fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = prefix_parameters("encoder", self.encoder.parameters());
        parameters.extend(prefix_parameters("projection", self.projection.parameters()));
        parameters
    }

    fn buffers(&self) -> Vec<Buffer> {
        let mut buffers = prefix_buffers("encoder", self.encoder.buffers());
        buffers.extend(prefix_buffers("projection", self.projection.buffers()));
        buffers
    }

    fn encoder(&self) -> &dyn Encoder {
        self.encoder.as_ref()
    }

    fn step(&mut self, views: &[Tensor; 2], context: &StepContext) -> Result<StepOutput> {
        let _no_grad = (!context.train).then(tch::no_grad_guard);
        let both = Tensor::f_cat(views, 0)?;
        let (h, z) = {
            let _autocast = context.autocast.then(|| native::autocast_bf16(both.device())).transpose()?;
            let h = self.encoder.forward(&both, context.train)?;
            let z = self.projection.forward(&h, context.train)?;
            (h, z)
        };
        let loss = nt_xent(&z, self.temperature)?;
        Ok(StepOutput { loss, features: h.f_detach()?.f_to_kind(Kind::Float)?, metrics: Vec::new() })
    }
}
