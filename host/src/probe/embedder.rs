//! Images in, embeddings out.

use crate::augment::Views;
use crate::data::Source;
use crate::model::Result;
use crate::native;
use selfsame_plugin_api::Encoder;
use tch::{Device, Kind, Tensor, no_grad};

/// Images per forward pass; without gradients no activations are kept, so batches may be large.
const BATCH: usize = 256;

/// Told how far a long computation is: what it does, how much is done, and of how much.
pub type Progress<'a> = dyn Fn(&str, usize, usize) + 'a;

/// An encoder with the views through which it sees images.
#[derive(Clone, Copy)]
pub struct Embedder<'a> {
    /// The encoder.
    pub encoder: &'a dyn Encoder,
    /// How images become its input.
    pub views: &'a Views,
    /// Where it computes.
    pub device: Device,
    /// Whether in bfloat16.
    pub autocast: bool,
}

impl Embedder<'_> {
    /// Embeds views `[B, C, H, W]` as float32 `[B, D]`. `train` chooses batch statistics.
    ///
    /// # Errors
    /// What the encoder or libtorch refuses.
    pub fn forward(&self, views: &Tensor, train: bool) -> Result<Tensor> {
        let embedded = {
            let _autocast = self.autocast.then(|| native::autocast_bf16(self.device)).transpose()?;
            self.encoder.forward(views, train)?
        };
        Ok(embedded.f_to_kind(Kind::Float)?)
    }

    /// Embeds the samples at these places, plainly resized and cropped, with the encoder in eval mode and without
    /// gradients: float32 `[B, D]`.
    ///
    /// # Errors
    /// As [`Embedder::forward`].
    pub fn embed_batch(&self, source: &Source, places: &[usize]) -> Result<Tensor> {
        let views = self.views.eval(&source.batch(places, self.device).images)?;
        no_grad(|| self.forward(&views, false))
    }

    /// [`Embedder::embed_batch`] of all samples in order, `[N, D]`.
    ///
    /// # Errors
    /// As [`Embedder::forward`].
    pub fn embed(&self, source: &Source, what: &str, progress: &Progress<'_>) -> Result<Tensor> {
        let places: Vec<usize> = (0..source.len()).collect();
        let mut features = Vec::with_capacity(places.len() / BATCH + 1);
        for (done, places) in places.chunks(BATCH).enumerate() {
            progress(what, done * BATCH, source.len());
            features.push(self.embed_batch(source, places)?);
        }
        Ok(Tensor::f_cat(&features, 0)?)
    }
}

/// Samples and their labels, in the same order.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    /// The samples.
    pub source: &'a Source,
    /// Their labels, where the encoder computes.
    pub labels: &'a Tensor,
}

/// The rows at these places.
pub(super) fn select(rows: &Tensor, places: &[usize]) -> Result<Tensor> {
    let index: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    Ok(rows.f_index_select(0, &Tensor::f_from_slice(&index)?.f_to_device(rows.device())?)?)
}
