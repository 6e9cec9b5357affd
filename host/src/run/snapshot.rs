//! The state of a run at one step.

use super::checkpoint::CheckpointWriter;
use crate::error::Error;
use serde_json::Value;
use std::rc::Rc;
use tch::Tensor;

/// What a checkpoint of this step holds. The tensors are the run's own, so it is good until the next step.
pub struct Snapshot {
    /// Writes it; none: another process does.
    pub writer: Option<Rc<CheckpointWriter>>,
    /// Optimiser steps done.
    pub step: u64,
    /// Tensors by group.
    pub groups: Vec<(&'static str, Vec<(String, Tensor)>)>,
    /// Everything else.
    pub state: Value,
}

impl Snapshot {
    /// Writes a checkpoint; `keep` holds it for good.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn write(&self, keep: bool) -> Result<(), Error> {
        let Some(writer) = &self.writer else { return Ok(()) };
        writer.save(self.step, &self.groups, &self.state, keep).map(drop)
    }
}
