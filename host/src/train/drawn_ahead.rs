//! The random numbers of views, drawn by a thread while the batch before is computed with.

use crate::augment::{Drawn, Views};
use crate::data::Size;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// What is random about the views of the batches of a plan, in its order.
pub struct DrawnAhead {
    plan: Arc<Plan>,
    next: usize,
    /// A batch is drawn before it is asked for, one at a time. The thread ends with this value.
    ahead: Receiver<Vec<Drawn>>,
}

struct Plan {
    views: Views,
    /// Sample id and size of each image of each batch.
    batches: Vec<Vec<(i64, Size)>>,
    piece: usize,
    seed: u64,
    epoch: u64,
}

impl DrawnAhead {
    /// Of batches whose images have these sample ids and sizes, and which pass the network in pieces of `piece` images, at
    /// least 1; `draw`: the run's seed, and the epoch.
    pub fn new(views: Views, batches: Vec<Vec<(i64, Size)>>, piece: usize, (seed, epoch): (u64, u64)) -> Self {
        let plan = Arc::new(Plan { views, batches, piece, seed, epoch });
        let (sender, ahead) = sync_channel(0);
        let drawing = Arc::clone(&plan);
        let thread = thread::Builder::new().name("draws".into()).spawn(move || {
            // Nobody waits any more where a run is stopped.
            (0..drawing.batches.len()).map(|batch| drawing.draw(batch)).try_for_each(|drawn| sender.send(drawn)).ok();
        });
        if let Err(error) = thread {
            tracing::debug!("random numbers of views are not drawn ahead: {error}");
        }
        Self { plan, next: 0, ahead }
    }

    /// Of the next batch, for each of its pieces; nothing after the last one.
    pub fn next(&mut self) -> Vec<Drawn> {
        let batch = self.next;
        self.next += 1;
        // Where there is no thread, they are drawn here.
        self.ahead.recv().unwrap_or_else(|_| self.plan.draw(batch))
    }
}

impl Plan {
    fn draw(&self, batch: usize) -> Vec<Drawn> {
        let images = self.batches.get(batch).map_or(&[][..], Vec::as_slice);
        let piece = |images: &[(i64, Size)]| {
            let (ids, sizes): (Vec<_>, Vec<_>) = images.iter().copied().unzip();
            self.views.draw(&ids, sizes, self.seed, self.epoch)
        };
        images.chunks(self.piece.max(1)).map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{AugmentationConfig, PreprocessConfig};
    use crate::data::Images;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn each_piece_of_each_batch_has_its_own_views_and_no_other_images_do() {
        let settings = serde_json::json!({
            "use_random_crop": true, "use_random_horizontal_flip": true, "use_random_color": true,
            "add_gaussian_noise": true, "views": [{"count": 2}, {"use_elastic_transform": true}],
        });
        let settings: AugmentationConfig = serde_json::from_value(settings).unwrap();
        let size = Size::square(16);
        let views = Views::new(&settings, &PreprocessConfig::default(), 3, size, None).unwrap();
        let pixels = Tensor::randint(256, [2, 3, 16, 16], (Kind::Uint8, Device::Cpu));
        let batches = [[5, 6, 7], [1, 5, 2]];
        let plan = batches.map(|ids| ids.map(|id| (id, size)).to_vec()).to_vec();
        let mut ahead = DrawnAhead::new(views.clone(), plan, 2, (3, 4));
        for ids in batches {
            let drawn = ahead.next();
            assert_eq!(drawn.len(), 2);
            for (ids, drawn) in ids.chunks(2).zip(&drawn) {
                let images = Images::whole(pixels.narrow(0, 0, ids.len() as i64));
                assert_eq!(views.drawn_crops(&images, ids, drawn).unwrap(), views.crops(&images, ids, 3, 4).unwrap());
                let others: Vec<_> = ids.iter().map(|id| id + 1).collect();
                let error = views.drawn_crops(&images, &others, drawn).unwrap_err().to_string();
                assert!(error.contains("random numbers are of images"), "{error}");
            }
        }
        assert!(ahead.next().is_empty());
    }
}
