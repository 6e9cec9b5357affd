//! Training images of a run with the views that are made of them, for people.

use super::evaluation::evenly;
use super::run::Run;
use crate::augment::Views;
use crate::error::Error;
use tch::Tensor;

/// Images and their views, all as the encoder gets them.
pub struct ShownViews<'a> {
    /// Which images they are.
    pub title: String,
    /// The index of each of the B images in its split.
    pub indices: Vec<i64>,
    /// What made the views, and takes the normalisation back.
    pub views: &'a Views,
    /// The plain view, float32 `[B, C, h, w]`.
    pub evaluation: Tensor,
    /// The random views of the first epoch, of such shapes each.
    pub random: Vec<Tensor>,
}

impl Run<'_> {
    /// At most so many training images of the first data set, evenly taken; none where nothing is left to train, or where the
    /// run's page is to show no images.
    ///
    /// # Errors
    /// Images that cannot be read any more, and what libtorch refuses.
    pub fn shown_views(&self, most: usize) -> Result<Option<ShownViews<'_>>, Error> {
        let Some((compute, data, views)) = self.parts().filter(|_| self.config().train.report_images) else {
            return Ok(None);
        };
        let first = &data.encoder[0];
        let batch = first.train.batch(&evenly(first.train.len(), most), compute.device)?;
        let views = &views.encoder;
        Ok(Some(ShownViews {
            title: format!("{} / train", first.card.name),
            evaluation: views.eval(&batch.images)?,
            random: views.crops(&batch.images, &batch.ids, self.config().train.seed, 0)?,
            indices: batch.ids,
            views,
        }))
    }
}
