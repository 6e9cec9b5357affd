//! The batches of a head that has images of its own.

use crate::augment::{Purpose, ViewKey, Views};
use crate::config::Config;
use crate::data::Source;
use crate::error::Error;
use crate::random;
use crate::samples::{RunData, RunViews};
use crate::world::{Share, World};
use tch::{Device, Tensor};

/// Draws the batches. Which images a step gets, and their views, is a function of seed and step alone.
pub struct HeadBatches<'a> {
    source: &'a Source,
    views: &'a Views,
    cycles: Cycles,
}

impl<'a> HeadBatches<'a> {
    /// The batches of this run's head; none where it learns from the encoder's batches.
    pub fn new(config: &Config, data: &'a RunData, views: &'a RunViews) -> Option<Self> {
        data.head_draws_own_batches().then(|| Self {
            source: &data.probe_data().train,
            views: views.probe(),
            cycles: Cycles {
                size: data.probe_data().train.len(),
                batch_size: config.linear_head.batch_size.unwrap_or(config.train.batch_size),
                seed: config.train.seed,
                at: None,
            },
        })
    }

    /// One view of each image of this process's share of the batch of `step` (from 0), `[B, C, h, w]`, and their labels; none
    /// without labels.
    ///
    /// # Errors
    /// What the views or libtorch refuse.
    pub fn batch(
        &mut self,
        step: u64,
        device: Device,
        world: &World,
    ) -> Result<Option<(Tensor, Tensor, Share)>, Error> {
        let (cycle, places) = self.cycles.places(step);
        let share = Share::new(places.len(), places.len(), world.ranks());
        let batch = self.source.batch(&share.of(places), device)?;
        let Some(labels) = batch.labels else { return Ok(None) };
        let key = ViewKey { seed: self.cycles.seed, epoch: cycle, purpose: Purpose::Head };
        Ok(Some((self.views.crop(&batch.images, &batch.ids, key)?, labels, share)))
    }
}

/// Shuffled cycles over `size` images, each holding every image once; the last batch of a cycle may be smaller.
struct Cycles {
    size: usize,
    batch_size: usize,
    seed: u64,
    /// The cycle at hand and its order.
    at: Option<(u64, Vec<usize>)>,
}

impl Cycles {
    /// The cycle of a step (from 0), and the places of the step's images.
    fn places(&mut self, step: u64) -> (u64, &[usize]) {
        let per_cycle = self.size.div_ceil(self.batch_size) as u64;
        let (cycle, within) = (step / per_cycle, (step % per_cycle) as usize);
        if self.at.as_ref().is_some_and(|(at, _)| *at != cycle) {
            self.at = None;
        }
        let shuffle = || (cycle, random::permutation(self.size, self.seed, "head order", &[cycle]));
        let (_, order) = self.at.get_or_insert_with(shuffle);
        (cycle, &order[within * self.batch_size..self.size.min((within + 1) * self.batch_size)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(size: usize, batch_size: usize) -> Cycles {
        Cycles { size, batch_size, seed: 3, at: None }
    }

    #[test]
    fn a_cycle_holds_every_image_once_and_the_next_one_in_another_order() {
        let mut cycles = cycles(10, 4);
        let mut cycle = |of: u64| {
            let mut batches = Vec::new();
            for step in 3 * of..3 * of + 3 {
                let (cycle, places) = cycles.places(step);
                batches.push((cycle, places.to_vec()));
            }
            assert!(batches.iter().all(|(cycle, _)| *cycle == of));
            assert_eq!(batches.iter().map(|(_, places)| places.len()).collect::<Vec<_>>(), [4, 4, 2]);
            batches.into_iter().flat_map(|(_, places)| places).collect::<Vec<_>>()
        };
        let (first, second) = (cycle(0), cycle(1));
        assert_ne!(first, second);
        for mut order in [first, second] {
            order.sort_unstable();
            assert_eq!(order, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_step_has_the_same_images_whatever_came_before() {
        let mut straight = cycles(10, 4);
        (0..7).for_each(|step| drop(straight.places(step).1.to_vec()));
        assert_eq!(straight.places(7), cycles(10, 4).places(7));
    }

    #[test]
    fn a_batch_larger_than_the_data_set_is_all_of_it() {
        assert_eq!(cycles(3, 8).places(5).1.len(), 3);
        assert_eq!(cycles(3, 8).places(5).0, 5);
    }
}
