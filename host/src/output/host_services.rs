//! What a plugin's long call shows: a bar for downloads, and the user's wish to stop.

use super::{bars, events, terminal};
use indicatif::{MultiProgress, ProgressBar};
use selfsame_plugin_api::{Cancelled, Services};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const PLAIN_PERIOD: Duration = Duration::from_secs(5);

/// Shows progress of plugins on `bars`, and cancels when `stopped` says so.
pub struct HostServices<'a> {
    bars: &'a MultiProgress,
    shown: Mutex<Option<Shown>>,
    told: Mutex<Instant>,
    stopped: &'a (dyn Fn() -> bool + Sync),
}

/// The bar of what is going on.
struct Shown {
    what: String,
    bar: ProgressBar,
    since: Instant,
    /// What was done before the first report.
    start: u64,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Bytes,
    Items,
}

impl<'a> HostServices<'a> {
    /// Services for the calls of one command.
    pub fn new(bars: &'a MultiProgress, stopped: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { bars, shown: Mutex::new(None), told: Mutex::new(Instant::now()), stopped }
    }

    /// Takes the bar away: what follows is no call of a plugin, or is printed where the bar stands.
    pub fn clear(&self) {
        if let Some(shown) = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take() {
            shown.bar.finish_and_clear();
        }
    }

    fn report(&self, what: &str, done: u64, total: Option<u64>, unit: Unit) -> Result<(), Cancelled> {
        if (self.stopped)() {
            return Err(Cancelled);
        }
        events::phase(what, done, total.unwrap_or(0));
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|shown| shown.what != what) {
            if let Some(old) = shown.take() {
                old.bar.finish_and_clear();
            }
            *shown = Some(self.start(what, done, total, unit));
        }
        let Some(Shown { bar, since, start, .. }) = &*shown else { return Ok(()) };
        // Where no bar can be drawn, a call that takes long says what it does, and how far it is, now and then.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if bar.is_hidden() && told.elapsed() > PLAIN_PERIOD {
            *told = Instant::now();
            let rate = done.saturating_sub(*start) as f64 / since.elapsed().as_secs_f64();
            match total {
                Some(total) if unit == Unit::Items && rate > 0.0 => {
                    let left = (total.saturating_sub(done) as f64 / rate).ceil();
                    tracing::info!("{what}: {done} of {total}, {rate:.0} a second, {left:.0} s left");
                }
                Some(total) => tracing::info!("{what}: {:.0} %", 100.0 * done as f64 / total.max(1) as f64),
                None if done == 0 => tracing::info!("{what}"),
                None => tracing::info!("{what}: {done}"),
            }
        }
        // Down before the length, up after it, so that no bar ever shows more than all.
        if done < bar.position() {
            bar.set_position(done);
        }
        total.into_iter().for_each(|total| bar.set_length(total));
        bar.set_position(done);
        Ok(())
    }

    fn start(&self, what: &str, done: u64, total: Option<u64>, unit: Unit) -> Shown {
        let template = match (unit, total) {
            (Unit::Bytes, None) => "{spinner} {msg}  {elapsed}",
            (Unit::Items, None) if done == 0 => "{spinner} {msg}  {elapsed}",
            (Unit::Items, None) => "{spinner} {msg} {pos}  {elapsed}",
            (Unit::Bytes, Some(_)) => "{spinner} {msg} {bar:24} {percent} %  {bytes} of {total_bytes}  {left}",
            (Unit::Items, Some(_)) => "{spinner} {msg} {bar:24} {pos} of {len}  {rate}  {left}",
        };
        let bar = ProgressBar::new(total.unwrap_or(0)).with_style(bars::style(template)).with_position(done);
        let bar = bars::add(self.bars, bar.with_message(terminal::in_one_line(what).into_owned()));
        bar.force_draw();
        tracing::debug!("{what}");
        Shown { what: what.to_owned(), bar, since: Instant::now(), start: done }
    }
}

impl Services for HostServices<'_> {
    fn progress(&self, what: &str, done: u64, total: Option<u64>) -> Result<(), Cancelled> {
        self.report(what, done, total, Unit::Bytes)
    }

    fn items(&self, what: &str, done: u64, total: Option<u64>) -> Result<(), Cancelled> {
        self.report(what, done, total, Unit::Items)
    }
}

impl Drop for HostServices<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}
