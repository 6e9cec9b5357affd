//! Batches that are gathered in the background while the one before is computed with.

use super::error::DataError;
use super::images::{Batch, Images};
use super::source::Source;
use crate::machine;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use tch::Device;

/// Threads that gather; each holds at most two batches.
const THREADS: usize = 4;

/// The batches of a plan, in its order.
pub struct Batches<'a> {
    source: &'a Source,
    device: Device,
    plan: Arc<Vec<Vec<usize>>>,
    next: usize,
    /// Thread `t` gathers the batches `t`, `t + n`, `t + 2n` … of n threads; none where nothing is gathered ahead. The
    /// threads end with this value.
    ahead: Vec<Receiver<Result<Images, DataError>>>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(source: &'a Source, plan: Vec<Vec<usize>>, device: Device) -> Self {
        let plan = Arc::new(plan);
        let threads = THREADS.min(machine::cores()).min(plan.len());
        let start = |thread: usize, packed: &Arc<_>| {
            let (sender, receiver) = sync_channel(1);
            let (plan, packed): (_, Arc<super::packed::Packed>) = (plan.clone(), Arc::clone(packed));
            std::thread::spawn(move || {
                for places in plan.iter().skip(thread).step_by(threads) {
                    let images = packed.gather(places);
                    let failed = images.is_err();
                    // Nobody waits any more: the run was stopped.
                    if sender.send(images).is_err() || failed {
                        return;
                    }
                }
            });
            receiver
        };
        let ahead = match source.packed() {
            Some(packed) => (0..threads).map(|thread| start(thread, packed)).collect(),
            None => Vec::new(),
        };
        Self { source, device, plan, next: 0, ahead }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let places = self.plan.get(self.next)?;
        let gathered = match self.ahead.len() {
            0 => None,
            threads => self.ahead[self.next % threads].recv().ok(),
        };
        self.next += 1;
        Some(match gathered {
            Some(images) => images.and_then(|images| self.source.assemble(images, places, self.device)),
            // Gathered here where nothing is gathered ahead, or where a thread has ended early.
            None => self.source.batch(places, self.device),
        })
    }
}
