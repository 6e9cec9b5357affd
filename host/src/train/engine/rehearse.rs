//! Some steps of a run that never begins.

use super::Engine;
use crate::error::Error;
use crate::stopwatch::{self, Stage};
use crate::train::log_window::LogWindow;
use selfsame_plugin_api::{PluginError, Services};
use std::time::Instant;

impl Engine<'_> {
    /// Trains `steps` steps on batches of the first epoch, and says how long each took, in seconds, fetching and views
    /// included. Nothing is recorded or saved.
    ///
    /// # Errors
    /// What a step refuses; the user's wish to stop.
    pub fn rehearse(&mut self, steps: usize, services: &dyn Services) -> Result<Vec<f64>, Error> {
        let size = self.config.train.batch_size;
        let order = self.data.mixture.epoch(self.config.train.seed, 0);
        let batches: Vec<_> = order.chunks_exact(size).map(|picks| self.share.of(picks)).collect();
        let plan: Vec<_> = batches.iter().cycle().take(steps).cloned().collect();
        let mut drawn = self.drawn_ahead(&plan, 0);
        let mut batches = self.data.train_batches(plan, self.compute.device);
        let pass = self.config.train.micro_batch_size.unwrap_or(size).min(size);
        let (mut window, mut took) = (LogWindow::new(0, self.compute), Vec::with_capacity(steps));
        loop {
            services
                .items("measuring training steps", took.len() as u64, Some(steps as u64))
                .map_err(PluginError::from)?;
            let started = Instant::now();
            stopwatch::enter(Stage::Data)?;
            let Some(batch) = batches.next() else { return Ok(took) };
            self.step(&batch?, &drawn.next(), started, &mut window).map_err(|error| error.in_pass_of(pass))?;
            // Waits for the device.
            let _: f64 = f64::try_from(&window.losses)?;
            took.push(started.elapsed().as_secs_f64());
        }
    }
}
