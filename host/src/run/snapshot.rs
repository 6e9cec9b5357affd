//! The state of a run at one step.

use super::checkpoint::BackgroundWriter;
use crate::error::Error;
use serde_json::Value;
use std::rc::Rc;
use tch::Tensor;

/// What a checkpoint of this step holds. The tensors are the run's own, so it is good until the next step.
pub struct Snapshot {
    /// Writes it; none: another process does.
    pub writer: Option<Rc<BackgroundWriter>>,
    /// Optimiser steps done.
    pub step: u64,
    /// Tensors by group.
    pub groups: Vec<(&'static str, Vec<(String, Tensor)>)>,
    /// Everything else.
    pub state: Value,
}

impl Snapshot {
    /// Begins to write a checkpoint, which goes on while the tensors change; `keep` holds it for good.
    ///
    /// # Errors
    /// A folder that cannot be written to, the one before included.
    pub fn begin(&self, keep: bool) -> Result<(), Error> {
        let Some(writer) = &self.writer else { return Ok(()) };
        writer.begin(self.step, &self.groups, &self.state, keep)
    }

    /// Writes a checkpoint and waits for it.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn write(&self) -> Result<(), Error> {
        self.begin(false)?;
        self.writer.as_ref().map_or(Ok(()), |writer| writer.finish().map(drop))
    }
}
