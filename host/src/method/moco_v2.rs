//! MoCo v2: a queue of keys (He et al. 2020) under a projection head (Chen, Fan, Girshick & He 2020).

use super::{
    Definition, Loss, MakeEncoder, Method, MethodConfig, Outputs, Refusal, Seen, StepContext, Targets, pair, queue_loss,
};
use crate::model::{Error, MomentumNetwork, Network, ProjectionConfig, Result, normalized};
use schemars::JsonSchema;
use selfsame_encoder_api::Buffer;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// MoCo v2: its queue and its key encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MoCoV2Config {
    /// Keys of earlier batches that serve as negatives, at least `train.batch_size`. The authors take 65536 for ImageNet.
    #[schemars(range(min = 2))]
    pub queue_size: usize,
    /// Temperature τ of InfoNCE, at least 0.001.
    #[schemars(range(min = 0.001))]
    pub temperature: f64,
    /// Momentum of the key encoder, in [0, 1].
    #[schemars(range(min = 0, max = 1))]
    pub momentum: f64,
}

impl Default for MoCoV2Config {
    fn default() -> Self {
        Self { queue_size: 4096, temperature: 0.2, momentum: 0.999 }
    }
}

/// A network that tells the key of the other view of an image from the keys of earlier images. View 1 gives the queries, view
/// 2 the keys.
pub struct MoCoV2 {
    network: Network,
    key_network: MomentumNetwork,
    /// `[queue_size, d]`, rows of length 1.
    queue: Tensor,
    config: MoCoV2Config,
}

impl Definition for MoCoV2 {
    const PROJECTION: ProjectionConfig =
        ProjectionConfig { layers: 2, hidden_dim: 2048, output_dim: 128, batch_norm: false };

    fn refusals(config: &MethodConfig, batch_size: usize) -> Vec<Refusal> {
        let size = config.moco_v2.queue_size;
        let expected = format!("at least `train.batch_size`, which is {batch_size}");
        let refusal = Refusal { key: "method.moco_v2.queue_size", value: size.to_string(), expected };
        (size < batch_size).then_some(refusal).into_iter().collect()
    }

    fn create<E: From<Error>>(config: &MethodConfig, encoder: MakeEncoder<E>, device: Device) -> Result<Self, E> {
        let (head, dim) = (config.projection.head(), config.projection.output_dim as i64);
        let config = config.moco_v2.clone();
        let (query_encoder, key_encoder) = (encoder()?, encoder()?);
        let network = Network::new(query_encoder, &head, device)?;
        let key_network = MomentumNetwork::new(&network, key_encoder, &head, device)?;
        let random = Tensor::f_randn([config.queue_size as i64, dim], (Kind::Float, device)).map_err(Error::from)?;
        Ok(Self { network, key_network, queue: normalized(&random)?, config })
    }
}

impl Method for MoCoV2 {
    fn network(&self) -> &Network {
        &self.network
    }

    fn followers(&self) -> Vec<Buffer> {
        let mut buffers = self.key_network.tensors("key");
        buffers.push(Buffer { name: "queue".into(), tensor: self.queue.shallow_clone() });
        buffers
    }

    fn outputs(&mut self, views: &[Tensor], context: &StepContext) -> Result<Outputs> {
        let [queries, _] = pair(views)?;
        let (h, q) = self.network.forward(queries, context.train, context.autocast)?;
        Ok(Outputs { projections: vec![q], targets: Vec::new(), features: vec![h.f_detach()?] })
    }

    fn targets(&mut self, views: &[Tensor], context: &StepContext) -> Result<Targets> {
        let [_, keys] = pair(views)?;
        let (_, k) = self.key_network.frozen(|network| network.forward(keys, context.train, context.autocast))?;
        Ok(Targets { projections: vec![k], features: None })
    }

    fn loss(&self, projections: &[Tensor], targets: &[Tensor], _context: &StepContext) -> Result<Loss> {
        let value = queue_loss(&projections[0], &targets[0], &self.queue, self.config.temperature)?;
        Ok(Loss { value, metrics: Vec::new() })
    }

    /// The batch's keys take the place of the oldest ones. Where those lie follows from the step.
    fn after_step(&mut self, seen: &Seen, context: &StepContext) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        self.key_network.update(self.config.momentum)?;
        let keys = normalized(&seen.targets[0])?;
        let (batch, size) = (keys.size2()?.0, self.config.queue_size as i64);
        let first = (context.step as i64 * batch) % size;
        let places = Tensor::f_arange(batch, (Kind::Int64, keys.device()))?.f_add_scalar(first)?.f_remainder(size)?;
        let _ = self.queue.f_index_copy_(0, &places, &keys)?;
        Ok(())
    }
}
