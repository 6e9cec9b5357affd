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
