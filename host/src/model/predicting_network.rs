//! A network with a predictor on its projections: BYOL's online network, SimSiam's and MoCo v3's.

use super::{Head, Layer, Network, Result, prefix_buffers, prefix_parameters};
use crate::native;
use selfsame_encoder_api::{Buffer, Parameter};
use tch::{Device, Kind, Tensor};

/// Images to embeddings to projections to predictions, which are as long as the projections.
pub struct PredictingNetwork {
    /// Encoder and projection head.
    pub network: Network,
    predictor: Head,
}

/// What it makes of B images, float32.
#[derive(Debug)]
pub struct Prediction {
    /// The embeddings, `[B, D]`, detached.
    pub features: Tensor,
    /// The projections, `[B, d]`.
    pub projection: Tensor,
    /// The predictions, `[B, d]`.
    pub prediction: Tensor,
}

impl PredictingNetwork {
    /// A predictor of these layers on projections of length `dim`, initialised from libtorch's global generator.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(network: Network, dim: usize, predictor: &[Layer], device: Device) -> Result<Self> {
        Ok(Self { network, predictor: Head::new(dim, predictor, device)? })
    }

    /// As [`Network::forward`], and on to the predictions.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    pub fn predict(&self, images: &Tensor, train: bool, autocast: Option<Kind>) -> Result<Prediction> {
        let (features, projection) = self.network.forward(images, train, autocast)?;
        let _autocast = native::autocast(images.device(), autocast)?;
        let prediction = self.predictor.forward(&projection, train)?.f_to_kind(Kind::Float)?;
        Ok(Prediction { features: features.f_detach()?, projection, prediction })
    }

    /// The predictor's trainable tensors, under `predictor.`.
    #[must_use]
    pub fn predictor_parameters(&self) -> Vec<Parameter> {
        prefix_parameters("predictor", self.predictor.parameters())
    }

    /// All trainable tensors, under `encoder.`, `projection.` and `predictor.`.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        self.network.parameters().into_iter().chain(self.predictor_parameters()).collect()
    }

    /// All saved tensors that are not trained, under the same names.
    #[must_use]
    pub fn buffers(&self) -> Vec<Buffer> {
        self.network.buffers().into_iter().chain(prefix_buffers("predictor", self.predictor.buffers())).collect()
    }
}
