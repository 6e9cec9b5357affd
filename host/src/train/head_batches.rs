//! The batches of a head that has images of its own.

use super::error::TrainError;
use super::run_data::{RunData, RunViews};
use crate::augment::{ViewKey, Views};
use crate::config::Config;
use crate::data::Source;
use crate::random;
use tch::{Device, Tensor};

/// Tells the head's views from the two of the encoder.
const HEAD_VIEW: u64 = 2;

/// Draws the batches: shuffled cycles over the head's training split, each holding every image once; the last batch of a
/// cycle may be smaller. Which images a step gets, and their views, is a function of seed and step alone.
pub struct HeadBatches<'a> {
    source: &'a Source,
    views: &'a Views,
    batch_size: usize,
    seed: u64,
    /// The cycle at hand and its order.
    cycle: Option<(u64, Vec<usize>)>,
}

impl<'a> HeadBatches<'a> {
    /// The batches of this run's head; none where it learns from the encoder's batches.
    pub fn new(config: &Config, data: &'a RunData, views: &'a RunViews) -> Option<Self> {
        data.head_draws_own_batches().then(|| Self {
            source: &data.task().train,
            views: views.task(),
            batch_size: config.linear_head.batch_size.unwrap_or(config.train.batch_size),
            seed: config.train.seed,
            cycle: None,
        })
    }

    /// One view of each image of the batch of `step` (from 0), `[B, C, h, w]`, and the labels; none without labels.
    ///
    /// # Errors
    /// What the views or libtorch refuse.
    pub fn batch(&mut self, step: u64, device: Device) -> Result<Option<(Tensor, Tensor)>, TrainError> {
        let (cycle, places) = self.places(step);
        let batch = self.source.batch(&places, device);
        let Some(labels) = batch.labels else { return Ok(None) };
        let key = ViewKey { seed: self.seed, epoch: cycle, view: HEAD_VIEW };
        Ok(Some((self.views.train(&batch.images, &batch.ids, key)?, labels)))
    }

    /// The cycle of a step, and the places of its images.
    fn places(&mut self, step: u64) -> (u64, Vec<usize>) {
        let size = self.source.len();
        let per_cycle = size.div_ceil(self.batch_size) as u64;
        let (cycle, within) = (step / per_cycle, (step % per_cycle) as usize);
        let order = match self.cycle.take() {
            Some((at, order)) if at == cycle => order,
            _ => random::permutation(size, self.seed, "head order", &[cycle]),
        };
        let places = order[within * self.batch_size..size.min((within + 1) * self.batch_size)].to_vec();
        self.cycle = Some((cycle, order));
        (cycle, places)
    }
}
