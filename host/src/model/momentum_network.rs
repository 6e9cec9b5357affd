//! A network that follows another one and does not learn: BYOL's target, MoCo's key encoder, DINO's teacher.

use super::{Ema, Layer, Network, Result, Snapshot, prefix_buffers};
use selfsame_encoder_api::{Buffer, Encoder};
use tch::Device;

/// The moving average of a network, in weights and in running statistics. In training it normalises by the batch; its own
/// batches leave its running statistics alone.
pub struct MomentumNetwork {
    network: Network,
    statistics: Snapshot,
    ema: Ema,
}

impl MomentumNetwork {
    /// Lets a network of `encoder` and a head of these layers follow `source`, which it equals from now on.
    ///
    /// # Errors
    /// Networks that differ; anything libtorch refuses, such as a full device.
    pub fn new(source: &Network, encoder: Box<dyn Encoder>, head: &[Layer], device: Device) -> Result<Self> {
        let network = Network::new(encoder, head, device)?;
        let ema = Ema::new((source.parameters(), source.buffers()), (network.parameters(), network.buffers()))?;
        let statistics = Snapshot::new(network.buffers())?;
        Ok(Self { network, statistics, ema })
    }

    /// The encoder.
    #[must_use]
    pub fn encoder(&self) -> &dyn Encoder {
        self.network.encoder.as_ref()
    }

    /// What `forward` makes of the network, without a graph and without a trace in its running statistics.
    ///
    /// # Errors
    /// What `forward` returns; anything libtorch refuses.
    pub fn frozen<T>(&mut self, forward: impl FnOnce(&Network) -> Result<T>) -> Result<T> {
        let _no_grad = tch::no_grad_guard();
        self.statistics.take()?;
        let result = forward(&self.network)?;
        self.statistics.restore()?;
        Ok(result)
    }

    /// Moves by one step: average ← `momentum` · average + (1 − `momentum`) · source.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn update(&mut self, momentum: f64) -> Result<()> {
        self.ema.update(momentum)
    }

    /// All its tensors, under `prefix`.
    #[must_use]
    pub fn tensors(&self, prefix: &str) -> Vec<Buffer> {
        let weights = self.network.parameters().into_iter().map(|p| Buffer { name: p.name, tensor: p.tensor });
        prefix_buffers(prefix, weights.chain(self.network.buffers()).collect())
    }
}
