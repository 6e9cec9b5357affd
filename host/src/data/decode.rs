//! Reading samples with all workers, and finding those that cannot be read.

use super::error::DataError;
use super::reduce::reduce;
use selfsame_plugin_api::{Cancelled, Card, ErrorKind, Image, PluginError, Samples, Services};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most samples of one call into the plugin.
const CHUNK: usize = 64;
/// Decoded bytes that one worker holds at once, as far as the images seen so far tell. Few, so that they are reduced
/// while they are in the processor's cache, and that no worker is left with a long chunk at the end.
const CHUNK_BYTES: usize = 1 << 20;

/// A sample that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// The sample's index in the data set's split.
    pub index: usize,
    /// Its name, as the data set calls it; the index without one.
    pub id: String,
    /// What the plugin said about it.
    pub reason: String,
}

impl Damaged {
    /// The sample and the reason, for a message.
    pub fn describe(&self) -> String {
        format!("sample {} (`{}`) cannot be read: {}", self.index, self.id, self.reason)
    }
}

/// One sample as it was read: its index in the split and its image, or why there is none.
pub type Decoded = (usize, Result<Image, Damaged>);

/// Reads samples of one split, reducing large images.
pub struct Decoder<'a> {
    /// Facts about the data set.
    pub card: &'a Card,
    /// The split.
    pub samples: &'a dyn Samples,
    /// Length that shorter sides are reduced to; none keeps all pixels.
    pub side: Option<usize>,
    /// Threads.
    pub workers: usize,
    /// Shows the progress, and knows whether the user wants to stop.
    pub services: &'a dyn Services,
    /// What the progress is called.
    pub what: String,
}

impl Decoder<'_> {
    /// Reads the samples at `indices`, a chunk at a time in every worker, and hands each chunk to `take` on the worker's
    /// thread. Chunks come in any order.
    ///
    /// # Errors
    /// The error of the first chunk (in the order of `indices`) that `take` refused; a plugin that fails for another
    /// reason than its samples; the user's wish to stop.
    pub fn run(
        &self,
        indices: &[usize],
        take: impl Fn(Vec<Decoded>) -> Result<(), DataError> + Sync,
    ) -> Result<(), DataError> {
        let names = self.samples.ids();
        let (next, done, stopped) = (Mutex::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let largest = AtomicUsize::new(0);
        let failed: Mutex<Option<(usize, DataError)>> = Mutex::new(None);
        let fail = |start: usize, error: DataError| {
            if error.kind == ErrorKind::Cancelled {
                stopped.store(true, Ordering::Relaxed);
            }
            let mut failed = lock(&failed);
            if failed.as_ref().is_none_or(|(first, _)| start < *first) {
                *failed = Some((start, error));
            }
        };
        let work = || {
            loop {
                let (start, chunk) = {
                    let mut next = lock(&next);
                    let start = *next;
                    *next = indices.len().min(start + self.chunk(largest.load(Ordering::Relaxed)));
                    (start, &indices[start..*next])
                };
                let late = lock(&failed).as_ref().is_some_and(|(first, _)| *first < start);
                if chunk.is_empty() || late || stopped.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(error) = self.decode(chunk, names.as_deref(), &largest).and_then(&take) {
                    fail(start, error);
                }
                let done = done.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
                if let Err(cancelled) = self.services.items(&self.what, done as u64, Some(indices.len() as u64)) {
                    fail(0, DataError::cancelled(&self.card.name, cancelled));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.workers.clamp(1, indices.len().max(1)) {
                scope.spawn(work);
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Reads one sample that could be read before.
    ///
    /// # Errors
    /// That it cannot be read any more.
    pub fn read_again(&self, sample: usize) -> Result<Image, DataError> {
        let names = self.samples.ids();
        match self.decode(&[sample], names.as_deref(), &AtomicUsize::new(0))?.pop() {
            Some((_, Ok(image))) => Ok(image),
            Some((_, Err(damaged))) => Err(DataError::data(&self.card.name, damaged.describe())),
            None => Err(DataError::data(&self.card.name, format!("sample {sample} was not read"))),
        }
    }

    /// How many samples the next chunk has: one until an image has been seen, of which the largest had so many bytes.
    fn chunk(&self, largest: usize) -> usize {
        let (height, width) = self.card.nominal_size;
        let nominal = self.card.channels * height * width * usize::from(self.card.bit_depth / 8);
        if largest == 0 { 1 } else { (CHUNK_BYTES / largest.max(nominal)).clamp(1, CHUNK) }
    }

    /// Reads some samples in one call; when that fails, one by one.
    fn decode(
        &self,
        indices: &[usize],
        names: Option<&[String]>,
        largest: &AtomicUsize,
    ) -> Result<Vec<Decoded>, DataError> {
        let images = match self.samples.read(indices) {
            Ok(images) if images.len() == indices.len() => images.into_iter().map(Ok).collect(),
            Ok(images) => vec![Err(wrong_count(images.len(), indices.len())); indices.len()],
            Err(error) if indices.len() == 1 => vec![Err(error)],
            Err(error) if !is_of_sample(&error) => return Err(DataError::plugin(&self.card.name, error)),
            Err(_) => indices.iter().map(|index| self.read_one(*index)).collect(),
        };
        let mut decoded = Vec::with_capacity(indices.len());
        for (&index, image) in indices.iter().zip(images) {
            let image = image.and_then(|image| self.checked(image));
            if let Ok(image) = &image {
                largest.fetch_max(image.data.len(), Ordering::Relaxed);
            }
            let image = image.and_then(|image| match self.side {
                Some(side) => reduce(image, side),
                None => Ok(image),
            });
            let image = match image {
                Err(error) if !is_of_sample(&error) => return Err(DataError::plugin(&self.card.name, error)),
                Err(error) => Err(Damaged { index, id: name(names, index), reason: error.message }),
                Ok(image) => Ok(image),
            };
            decoded.push((index, image));
        }
        Ok(decoded)
    }

    fn read_one(&self, index: usize) -> Result<Image, PluginError> {
        let mut images = self.samples.read(&[index])?;
        match (images.pop(), images.len()) {
            (Some(image), 0) => Ok(image),
            (_, others) => Err(wrong_count(others + 1, 1)),
        }
    }

    fn checked(&self, image: Image) -> Result<Image, PluginError> {
        let Image { channels, height, width, bit_depth, .. } = image;
        let bytes = [channels, height, width].iter().try_fold(usize::from(bit_depth / 8), |n, m| n.checked_mul(*m));
        let (expected, depth) = (self.card.channels, self.card.bit_depth);
        if (channels, bit_depth) == (expected, depth) && bytes == Some(image.data.len()) && !image.data.is_empty() {
            return Ok(image);
        }
        Err(PluginError::data(format!(
            "{channels} channels of {height}×{width} pixels and {bit_depth} bits in {} bytes; expected {expected} channels \
             and {depth} bits",
            image.data.len()
        )))
    }
}

/// The name of a sample.
pub(super) fn name(names: Option<&[String]>, index: usize) -> String {
    names.and_then(|names| names.get(index)).cloned().unwrap_or_else(|| index.to_string())
}

/// Whether an error is about a sample, so that others may still be read. A plugin's panic is: decoders meet strange files.
fn is_of_sample(error: &PluginError) -> bool {
    matches!(error.kind, ErrorKind::Data | ErrorKind::Plugin)
}

fn wrong_count(answered: usize, asked: usize) -> PluginError {
    PluginError::plugin(format!("`read` answered {answered} images for {asked} indices"))
}

/// A lock that a panic elsewhere does not spoil.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows nothing and never stops.
pub(super) struct Silent;

impl Services for Silent {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}
