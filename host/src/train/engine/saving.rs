//! Checkpoints of a run in progress: taken back, and written while it goes on.

use super::Engine;
use crate::config;
use crate::error::Error;
use crate::run::checkpoint::{BackgroundWriter, Contents};
use crate::run::snapshot::Snapshot;
use crate::run::state;
use crate::train::log_window::LogWindow;
use crate::train::signals::Wishes;
use std::time::Instant;

impl Engine<'_> {
    /// Takes everything back from a checkpoint.
    ///
    /// # Errors
    /// A checkpoint that does not fit this run.
    pub fn restore(&mut self, mut contents: Contents) -> Result<(), Error> {
        let mut group = |name: &str| contents.groups.remove(name).unwrap_or_default();
        state::restore(&state::model_tensors(self.method.as_ref()), &group("model"))?;
        self.optimizer.load_state(&group("optimizer"))?;
        if let Some(head) = &mut self.head {
            state::restore(&state::parameter_tensors(head.parameters()), &group("head"))?;
            head.load_optimizer_state(&group("head-optimizer"))?;
            head.load_train_metrics(&group("head-metrics"))?;
        }
        self.position = serde_json::from_value(contents.state["position"].take())
            .map_err(|error| Error::data(format!("the checkpoint's state.json: `position`: {error}")))?;
        self.world.saved(self.position.step);
        Ok(())
    }

    pub(super) fn save_if_due(&mut self, wishes: Wishes, window: &mut LogWindow, steps: usize) -> Result<(), Error> {
        let every = self.config.train.checkpoint_every_steps;
        let Wishes { stop, save } = wishes;
        let due = (every > 0 && self.position.step.is_multiple_of(every)) || save;
        // The end of the epoch saves anyway, after its measurements.
        let saves_soon = self.position.step_in_epoch == steps && stop.is_none();
        if (due && !saves_soon) || stop.is_some() {
            self.log(window)?;
            self.save(save, false)?;
            if stop.is_some() {
                self.written(BackgroundWriter::finish)?;
            }
            window.started = Instant::now();
        }
        self.written(BackgroundWriter::finished)?;
        match stop {
            Some(code) => Err(Error::Stopped { code, step: self.position.step }),
            None => Ok(()),
        }
    }

    pub(super) fn has_checkpoint(&self) -> bool {
        self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.has_any())
    }

    /// Writes a checkpoint while training goes on, or, where a signal asks for it (`is_asked`), before; `keep` holds it for good.
    pub(super) fn save(&self, is_asked: bool, keep: bool) -> Result<(), Error> {
        self.stop.take_save_request();
        self.observer.phase("saving a checkpoint", 0, 0);
        self.written(BackgroundWriter::finish)?;
        self.snapshot()?.begin(keep)?;
        if self.checkpoints.is_none() {
            self.world.saved(self.position.step);
        }
        if is_asked {
            self.written(BackgroundWriter::finish)?;
            tracing::info!("saved the state after step {}", self.position.step);
        }
        Ok(())
    }

    /// Takes note of the checkpoint that is being written, once it is there.
    pub(super) fn written(&self, wait: fn(&BackgroundWriter) -> Result<Option<u64>, Error>) -> Result<(), Error> {
        if let Some(step) = self.checkpoints.as_deref().map_or(Ok(None), wait)? {
            self.world.saved(step);
        }
        Ok(())
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut groups =
            vec![("model", state::model_tensors(self.method.as_ref())), ("optimizer", self.optimizer.state())];
        if let Some(head) = &self.head {
            groups.push(("head", state::parameter_tensors(head.parameters())));
            groups.push(("head-optimizer", head.optimizer_state()));
            groups.push(("head-metrics", head.train_metrics_state()?));
        }
        let state = serde_json::json!({
            "position": self.position,
            "config": config::absolute(self.config),
            "threads": tch::get_num_threads(),
            "processes": self.world.size(),
        });
        Ok(Snapshot { writer: self.checkpoints.clone(), step: self.position.step, groups, state })
    }
}
