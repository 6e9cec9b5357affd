//! What a plugin's long call shows: a bar for downloads, and the user's wish to stop.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use selfsame_plugin_api::{Cancelled, Services};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const PLAIN_PERIOD: Duration = Duration::from_secs(5);

/// Shows progress of plugins on `bars`, and cancels when `stopped` says so.
pub struct HostServices<'a> {
    bars: &'a MultiProgress,
    bar: Mutex<Option<(String, ProgressBar)>>,
    told: Mutex<Instant>,
    stopped: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> HostServices<'a> {
    /// Services for the calls of one command.
    pub fn new(bars: &'a MultiProgress, stopped: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { bars, bar: Mutex::new(None), told: Mutex::new(Instant::now()), stopped }
    }
}

impl Services for HostServices<'_> {
    fn progress(&self, what: &str, done: u64, total: Option<u64>) -> Result<(), Cancelled> {
        if (self.stopped)() {
            return Err(Cancelled);
        }
        let mut shown = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = match &*shown {
            Some((name, bar)) if name == what => bar.clone(),
            _ => {
                let template = "{msg} {bar:24} {percent} %  {bytes} of {total_bytes}  {eta} left";
                let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
                let bar =
                    self.bars.add(ProgressBar::new(total.unwrap_or(0)).with_style(style).with_message(what.to_owned()));
                if let Some((_, old)) = shown.replace((what.to_owned(), bar.clone())) {
                    old.finish_and_clear();
                }
                tracing::debug!("{what}");
                bar
            }
        };
        // Where no bar can be drawn, a call that takes long says what it does, and how far it is, now and then.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if bar.is_hidden() && told.elapsed() > PLAIN_PERIOD {
            *told = Instant::now();
            match total {
                Some(total) => tracing::info!("{what}: {:.0} %", 100.0 * done as f64 / total.max(1) as f64),
                None => tracing::info!("{what}: {done}"),
            }
        }
        total.into_iter().for_each(|total| bar.set_length(total));
        bar.set_position(done);
        Ok(())
    }
}

impl Drop for HostServices<'_> {
    fn drop(&mut self) {
        if let Some((_, bar)) = self.bar.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}
