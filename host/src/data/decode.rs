//! Reading samples with all workers, and finding those that cannot be read.

use super::depth::Depth;
use super::error::DataError;
use super::reduce::reduce;
use selfsame_plugin_api::{Cancelled, Card, ErrorKind, Image, PluginError, ReadHints, Samples, Services};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Samples that one worker takes at once. Few, so that no worker is left with a long chunk at the end.
const CHUNK: usize = 16;
/// Bytes of images that one worker gathers before it hands them on.
const GATHERED: usize = 1 << 20;

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
    /// Reads the samples at `indices`, one at a time in every worker, and hands some at once to `take` on the worker's
    /// thread, in any order. A worker holds 1 MiB of images and one more, before and after it is reduced.
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
                    *next = indices.len().min(start + CHUNK);
                    (start, &indices[start..*next])
                };
                let late = lock(&failed).as_ref().is_some_and(|(first, _)| *first < start);
                if chunk.is_empty() || late || stopped.load(Ordering::Relaxed) {
                    return;
                }
                let told = || {
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    let told = self.services.items(&self.what, done as u64, Some(indices.len() as u64));
                    told.map_err(|cancelled| DataError::cancelled(&self.card.name, cancelled))
                };
                if let Err(error) = self.decode(chunk, names.as_deref(), &take, told) {
                    fail(start, error);
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
    /// It can no longer be read.
    pub fn read_again(&self, sample: usize) -> Result<Image, DataError> {
        let names = self.samples.ids();
        let image = self.read_one(sample, names.as_deref())?;
        image.map_err(|damaged| DataError::data(&self.card.name, damaged.describe()))
    }

    /// Reads some samples one after the other; `told` hears of each.
    fn decode(
        &self,
        indices: &[usize],
        names: Option<&[String]>,
        take: &impl Fn(Vec<Decoded>) -> Result<(), DataError>,
        told: impl Fn() -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let (mut gathered, mut bytes) = (Vec::new(), 0);
        for &index in indices {
            let image = self.read_one(index, names)?;
            bytes += image.as_ref().map_or(0, |image| image.data.len());
            gathered.push((index, image));
            let told = told();
            // What was decoded stays, also where the user wants to stop.
            if bytes >= GATHERED || told.is_err() {
                take(std::mem::take(&mut gathered))?;
                bytes = 0;
            }
            told?;
        }
        take(gathered)
    }

    /// Reads and reduces one sample.
    fn read_one(&self, index: usize, names: Option<&[String]>) -> Result<Result<Image, Damaged>, DataError> {
        let read = || -> Result<Image, PluginError> {
            let mut images = self.samples.read_with(&[index], &ReadHints::least_side(self.side))?;
            let image = match (images.pop(), images.len()) {
                (Some(image), 0) => self.checked(image)?,
                (image, others) => return Err(wrong_count(others + usize::from(image.is_some()))),
            };
            match self.side {
                Some(side) => reduce(image, side),
                None => Ok(image),
            }
        };
        match read() {
            Ok(image) => Ok(Ok(image)),
            Err(error) if !is_of_sample(&error) => Err(DataError::plugin(&self.card.name, error)),
            Err(error) => Ok(Err(Damaged { index, id: name(names, index), reason: error.message })),
        }
    }

    fn checked(&self, image: Image) -> Result<Image, PluginError> {
        let Image { channels, height, width, bit_depth, .. } = image;
        let (expected, depth) = (self.card.channels, Depth::of(self.card));
        let bytes = [channels, height, width].iter().try_fold(depth.bytes(), |n, m| n.checked_mul(*m));
        if (channels, bit_depth) == (expected, depth.bits())
            && bytes == Some(image.data.len())
            && !image.data.is_empty()
        {
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

/// Whether an error is about a sample, so that others may still be read. A plugin's panic is: decoders meet strange files. A
/// broken contract is not: no file is repaired for it.
fn is_of_sample(error: &PluginError) -> bool {
    matches!(error.kind, ErrorKind::Data | ErrorKind::Plugin)
}

fn wrong_count(returned: usize) -> PluginError {
    PluginError::contract(format!("`read` returned {returned} images for 1 index"))
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
