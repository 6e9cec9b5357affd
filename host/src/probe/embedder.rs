//! Images in, embeddings out.

use crate::augment::Views;
use crate::data::Source;
use crate::model::Result;
use crate::native;
use selfsame_encoder_api::Encoder;
use tch::{Device, Kind, Tensor, no_grad};

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
    pub autocast: Option<Kind>,
    /// Images per forward pass.
    pub batch: usize,
}

impl Embedder<'_> {
    /// Embeds views `[B, C, H, W]` as float32 `[B, D]`. `train` chooses batch statistics.
    ///
    /// # Errors
    /// What the encoder or libtorch refuses.
    pub fn forward(&self, views: &Tensor, train: bool) -> Result<Tensor> {
        let embedded = {
            let _autocast = native::autocast(self.device, self.autocast)?;
            self.encoder.forward(views, train)?
        };
        Ok(embedded.f_to_kind(Kind::Float)?)
    }

    /// Embeds views with the encoder in eval mode and without gradients.
    ///
    /// # Errors
    /// As [`Embedder::forward`].
    pub fn frozen(&self, views: &Tensor) -> Result<Tensor> {
        no_grad(|| self.forward(views, false))
    }

    /// The embeddings of all samples in order, plainly resized and cropped, a batch `[B, D]` at a time.
    pub fn batches<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = Result<Tensor>> + 'a {
        self.batches_of(source, &(0..source.len()).collect::<Vec<_>>())
    }

    /// As [`Embedder::batches`], of the samples at these places.
    pub fn batches_of<'a>(
        &'a self,
        source: &'a Source,
        places: &[usize],
    ) -> impl Iterator<Item = Result<Tensor>> + use<'a> {
        let plan = places.chunks(self.batch).map(<[usize]>::to_vec).collect();
        source.batches(plan, self.device).map(|batch| self.frozen(&self.views.eval(&batch?.images)?))
    }

    /// What the encoder sees of all samples in order, a batch `[B, C · H · W]` at a time.
    pub fn inputs<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = Result<Tensor>> + 'a {
        let places: Vec<_> = (0..source.len()).collect();
        let plan = places.chunks(self.batch).map(<[usize]>::to_vec).collect();
        source.batches(plan, self.device).map(|batch| Ok(self.views.eval(&batch?.images)?.f_flatten(1, -1)?))
    }

    /// [`Embedder::batches`] in one tensor, `[N, D]`.
    ///
    /// # Errors
    /// As [`Embedder::forward`].
    pub fn embed(&self, source: &Source, what: &str, progress: &Progress<'_>) -> Result<Tensor> {
        let mut features = Vec::with_capacity(source.len() / self.batch + 1);
        progress(what, 0, source.len());
        for (batch, embedded) in self.batches(source).enumerate() {
            features.push(embedded?);
            progress(what, source.len().min((batch + 1) * self.batch), source.len());
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
