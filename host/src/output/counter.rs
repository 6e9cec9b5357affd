//! How far a command with countable work is: a bar on a terminal, plain lines elsewhere.

use super::{bars, terminal};
use indicatif::{MultiProgress, ProgressBar};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Between plain lines.
const PLAIN_PERIOD: Duration = Duration::from_secs(10);

/// Shows one piece of work after the other.
pub struct Counter<'a> {
    bars: &'a MultiProgress,
    shown: RefCell<Option<Shown>>,
}

struct Shown {
    what: String,
    bar: ProgressBar,
    last_line: Instant,
}

impl<'a> Counter<'a> {
    /// Nothing shown yet.
    pub fn new(bars: &'a MultiProgress) -> Self {
        Self { bars, shown: RefCell::new(None) }
    }

    /// `done` of `total` pieces of `what` are finished; a total of 0 stands for work that is not counted.
    pub fn show(&self, what: &str, done: usize, total: usize) {
        let mut shown = self.shown.borrow_mut();
        if shown.as_ref().is_none_or(|shown| shown.what != what) {
            if let Some(old) = shown.take() {
                old.bar.finish_and_clear();
            }
            let template = match total {
                0 => "{spinner} {msg}  {elapsed}",
                _ => "{spinner} {msg} {bar:24} {pos}/{len}  {left}",
            };
            let bar = ProgressBar::new(total as u64).with_style(bars::style(template));
            let bar = bars::add(self.bars, bar.with_message(terminal::in_one_line(what).into_owned()));
            bar.force_draw();
            tracing::debug!("{what}");
            *shown = Some(Shown { what: what.to_owned(), bar, last_line: Instant::now() });
        }
        if let Some(shown) = shown.as_mut() {
            shown.bar.set_position(done as u64);
            if shown.bar.is_hidden() && total > 0 && shown.last_line.elapsed() >= PLAIN_PERIOD {
                shown.last_line = Instant::now();
                tracing::info!("{what} {done}/{total}");
            }
        }
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        if let Some(shown) = self.shown.get_mut().take() {
            shown.bar.finish_and_clear();
        }
    }
}
