//! Checkpoints written while training goes on.

use super::manifest::FileEntry;
use super::{CheckpointWriter, METRICS_FILE};
use crate::error::Error;
use crate::regular_file;
use serde_json::Value;
use std::cell::RefCell;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tch::{Device, TchError, Tensor};

/// What a checkpoint is written from, which nothing changes any more.
pub(super) struct Prepared {
    pub step: u64,
    /// On the CPU.
    pub groups: Vec<(String, Vec<(String, Tensor)>)>,
    pub state: Value,
    /// Held for good.
    pub keep: bool,
    /// What `metrics.jsonl` is at this step.
    pub metrics: Option<FileEntry>,
}

impl CheckpointWriter {
    /// Copies what training is about to change.
    pub(super) fn prepare(
        &self,
        step: u64,
        groups: &[(&str, Vec<(String, Tensor)>)],
        state: &Value,
        keep: bool,
    ) -> Result<Prepared, Error> {
        let metrics = self.dir.parent().and_then(|run| regular_file::read(&run.join(METRICS_FILE)).ok());
        let metrics = metrics.map(|bytes| FileEntry::of(&bytes));
        let copied = |(group, tensors): &(&str, Vec<(String, Tensor)>)| -> Result<_, Error> {
            let tensors = tensors.iter().map(|(name, tensor)| Ok((name.clone(), copied(tensor)?)));
            Ok(((*group).to_owned(), tensors.collect::<Result<_, TchError>>()?))
        };
        let groups = groups.iter().map(copied).collect::<Result<_, _>>()?;
        Ok(Prepared { step, groups, state: state.clone(), keep, metrics })
    }
}

fn copied(tensor: &Tensor) -> Result<Tensor, TchError> {
    let tensor = tensor.f_detach()?;
    if tensor.device() == Device::Cpu { tensor.f_detach_copy() } else { tensor.f_to_device(Device::Cpu) }
}

/// Writes one checkpoint at a time on a thread of its own.
pub struct BackgroundWriter {
    writer: Arc<CheckpointWriter>,
    running: RefCell<Option<JoinHandle<Result<u64, Error>>>>,
}

impl BackgroundWriter {
    /// Writes with this writer.
    pub fn new(writer: CheckpointWriter) -> Self {
        Self { writer: Arc::new(writer), running: RefCell::new(None) }
    }

    /// Whether there is a checkpoint to go back to, intact or not.
    pub fn has_any(&self) -> bool {
        self.writer.has_any()
    }

    /// Begins a checkpoint once the one before is written: when this returns, the tensors may change. `groups` become
    /// `NAME.safetensors` each; `keep` holds it for good.
    ///
    /// # Errors
    /// Why the checkpoint before could not be written; then this one is not begun.
    pub fn begin(
        &self,
        step: u64,
        groups: &[(&str, Vec<(String, Tensor)>)],
        state: &Value,
        keep: bool,
    ) -> Result<(), Error> {
        self.finish()?;
        let prepared = self.writer.prepare(step, groups, state, keep)?;
        let writer = Arc::clone(&self.writer);
        let started = thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || writer.save_prepared(&prepared).map(|checkpoint| checkpoint.step));
        let started = started.map_err(|error| {
            Error::data(format!(
                "no thread can be started to write a checkpoint: {error}; free some memory or processes"
            ))
        })?;
        *self.running.borrow_mut() = Some(started);
        Ok(())
    }

    /// Waits for the checkpoint that is being written: its step; none where none is.
    ///
    /// # Errors
    /// Why it could not be written.
    pub fn finish(&self) -> Result<Option<u64>, Error> {
        let Some(running) = self.running.borrow_mut().take() else { return Ok(None) };
        running
            .join()
            .unwrap_or_else(|_| {
                Err(Error::data(
                    "the thread that writes checkpoints has failed; continue with `--resume` from the one before",
                ))
            })
            .map(Some)
    }

    /// As [`finish`](Self::finish) where that need not wait, else none.
    ///
    /// # Errors
    /// As there.
    pub fn finished(&self) -> Result<Option<u64>, Error> {
        let is_done = self.running.borrow().as_ref().is_some_and(JoinHandle::is_finished);
        if is_done { self.finish() } else { Ok(None) }
    }
}

impl Drop for BackgroundWriter {
    /// A process that ends in between would leave half of a checkpoint.
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::warn!("{error}");
        }
    }
}
