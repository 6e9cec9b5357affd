//! An encoder with its projection head.

use super::{Head, Layer, Result, prefix_buffers, prefix_parameters};
use crate::native;
use selfsame_encoder_api::{Buffer, Encoder, Parameter};
use tch::{Device, Kind, Tensor};

/// What methods train: images to embeddings to projections.
pub struct Network {
    /// The encoder.
    pub encoder: Box<dyn Encoder>,
    /// The head on its embeddings.
    pub projection: Head,
}

impl Network {
    /// A projection head of these layers on top of `encoder`, initialised from libtorch's global generator.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(encoder: Box<dyn Encoder>, head: &[Layer], device: Device) -> Result<Self> {
        let projection = Head::new(encoder.feature_dim(), head, device)?;
        Ok(Self { encoder, projection })
    }

    /// Embeddings (`[B, D]`) and projections (`[B, d]`) of images (`[B, C, H, W]`), both float32. `train` chooses batch
    /// statistics, `autocast` the kind where libtorch's lists say so.
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    pub fn forward(&self, images: &Tensor, train: bool, autocast: Option<Kind>) -> Result<(Tensor, Tensor)> {
        let _autocast = native::autocast(images.device(), autocast)?;
        let h = self.encoder.forward(images, train)?;
        let z = self.projection.forward(&h, train)?;
        Ok((h.f_to_kind(Kind::Float)?, z.f_to_kind(Kind::Float)?))
    }

    /// Embeddings and projections of each view, as [`forward`](Self::forward); views of one size that follow each other pass
    /// in one batch (Caron et al. 2021, section 3.1).
    ///
    /// # Errors
    /// What the encoder's plugin or libtorch refuses.
    pub fn forward_together(
        &self,
        views: &[Tensor],
        train: bool,
        autocast: Option<Kind>,
    ) -> Result<Vec<(Tensor, Tensor)>> {
        let mut outputs = Vec::with_capacity(views.len());
        for group in views.chunk_by(|one, next| one.size() == next.size()) {
            let (h, z) = self.forward(&Tensor::f_cat(group, 0)?, train, autocast)?;
            let rows = h.size().first().copied().unwrap_or_default() / group.len() as i64;
            for view in 0..group.len() as i64 {
                outputs.push((h.f_narrow(0, view * rows, rows)?, z.f_narrow(0, view * rows, rows)?));
            }
        }
        Ok(outputs)
    }

    /// All trainable tensors, under `encoder.` and `projection.`.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = prefix_parameters("encoder", self.encoder.parameters());
        parameters.extend(prefix_parameters("projection", self.projection.parameters()));
        parameters
    }

    /// All saved tensors that are not trained, under `encoder.` and `projection.`.
    #[must_use]
    pub fn buffers(&self) -> Vec<Buffer> {
        let mut buffers = prefix_buffers("encoder", self.encoder.buffers());
        buffers.extend(prefix_buffers("projection", self.projection.buffers()));
        buffers
    }
}
