//! What a plugin's long call shows: a bar for downloads, and the user's wish to stop.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use selfsame_plugin_api::{Cancelled, Services};
use std::sync::{Mutex, PoisonError};

/// Shows progress of plugins on `bars`, and cancels when `stopped` says so.
pub struct HostServices<'a> {
    bars: &'a MultiProgress,
    bar: Mutex<Option<(String, ProgressBar)>>,
    stopped: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> HostServices<'a> {
    /// Services for the calls of one command.
    pub fn new(bars: &'a MultiProgress, stopped: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { bars, bar: Mutex::new(None), stopped }
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
                let bar = self.bars.add(ProgressBar::new(total.unwrap_or(0)).with_style(style).with_message(what.to_owned()));
                if let Some((_, old)) = shown.replace((what.to_owned(), bar.clone())) {
                    old.finish_and_clear();
                }
                if bar.is_hidden() {
                    tracing::info!("{what}");
                }
                bar
            }
        };
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
