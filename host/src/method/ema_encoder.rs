//! A moving average of the encoder over the steps (Polyak & Juditsky 1992), evaluated in its place.

use super::{Loss, Method, Outputs, Seen, StepContext, Targets};
use crate::model::{Ema, Network, ParameterGroup, Result, prefix_buffers};
use crate::native;
use selfsame_encoder_api::{Buffer, Encoder};
use tch::{Kind, Tensor};

/// A method whose evaluated encoder is the average of the trained one, weights and running statistics. What is learnt does
/// not change.
pub struct EmaEncoder {
    method: Box<dyn Method>,
    average: Box<dyn Encoder>,
    ema: Ema,
    decay: f64,
    with_features: bool,
}

impl EmaEncoder {
    /// Averages the encoder of `method` into `average`, another one of the same kind, which starts equal. With
    /// `with_features`, each training step embeds its views by the average as well, for the online head.
    ///
    /// # Errors
    /// Encoders that differ; anything libtorch refuses.
    pub fn new(method: Box<dyn Method>, average: Box<dyn Encoder>, decay: f64, with_features: bool) -> Result<Self> {
        let encoder = method.encoder();
        let source = (encoder.parameters(), encoder.buffers());
        let ema = Ema::new(source, (average.parameters(), average.buffers()))?;
        Ok(Self { method, average, ema, decay, with_features })
    }
}

impl Method for EmaEncoder {
    fn network(&self) -> &Network {
        self.method.network()
    }

    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        self.method.parameter_groups()
    }

    fn running_statistics(&self) -> Vec<Buffer> {
        self.method.running_statistics()
    }

    fn followers(&self) -> Vec<Buffer> {
        let weights = self.average.parameters().into_iter().map(|p| Buffer { name: p.name, tensor: p.tensor });
        let average = prefix_buffers("average", weights.chain(self.average.buffers()).collect());
        self.method.followers().into_iter().chain(average).collect()
    }

    fn encoder(&self) -> &dyn Encoder {
        self.average.as_ref()
    }

    fn embedding(&self) -> String {
        format!("a moving average of {}, decay {}", self.method.embedding(), self.decay)
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        self.method.outputs(views, context)
    }

    fn targets(&mut self, views: &[Tensor], context: &StepContext) -> Result<Targets> {
        let targets = self.method.targets(views, context)?;
        if !(self.with_features && context.train) {
            return Ok(targets);
        }
        let _no_grad = tch::no_grad_guard();
        let _autocast = native::autocast(views[0].device(), context.autocast)?;
        let embed = |view| -> Result<Tensor> { Ok(self.average.forward(view, false)?.f_to_kind(Kind::Float)?) };
        let features = views[..context.global_views].iter().map(embed).collect::<Result<_>>()?;
        Ok(Targets { features: Some(features), ..targets })
    }

    fn loss(&self, projections: &[Tensor], targets: &[Tensor], context: &StepContext) -> Result<Loss> {
        self.method.loss(projections, targets, context)
    }

    fn before_update(&mut self, context: &StepContext) -> Result<()> {
        self.method.before_update(context)
    }

    /// The decay of step k is at most (1 + k) / (10 + k), so that the untrained weights are soon forgotten.
    fn after_step(&mut self, seen: &Seen, context: &StepContext) -> Result<()> {
        self.method.after_step(seen, context)?;
        let step = context.step as f64;
        self.ema.update(self.decay.min((1.0 + step) / (10.0 + step)))
    }
}
