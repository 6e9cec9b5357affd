//! How a training run is coming along: a bar on a terminal, plain lines elsewhere.

use super::{bars, events};
use crate::metric;
use crate::train::observer::StepReport;
use crate::train::plan::Plan;
use indicatif::{MultiProgress, ProgressBar};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// Between plain lines inside an epoch.
const PLAIN_PERIOD: Duration = Duration::from_secs(10);

const COUNTED: &str = "{spinner} {prefix} {bar:16} {pos}/{len}  {wide_msg}";
const UNCOUNTED: &str = "{spinner} {prefix}  {wide_msg}";

/// Progress of one training run. It shows a bar when `bars` draws to a terminal, and otherwise logs a line now and then.
pub struct Progress {
    bars: MultiProgress,
    plan: Plan,
    /// When the first steps of this process were seen, and how many there were: measuring comes before them.
    first: Option<(Instant, u64)>,
    last_line: Cell<Instant>,
    /// Epochs finished; none while the untrained encoder is measured.
    epoch: Cell<Option<u64>>,
    /// How the latest steps went.
    text: String,
    shown: RefCell<Option<Shown>>,
}

/// The bar of what is going on.
struct Shown {
    what: String,
    bar: ProgressBar,
}

impl Progress {
    /// Nothing shown yet.
    pub fn start(bars: &MultiProgress, plan: Plan) -> Self {
        let (last_line, epoch, shown) = (Cell::new(Instant::now()), Cell::new(None), RefCell::default());
        Self { bars: bars.clone(), plan, first: None, last_line, epoch, text: String::new(), shown }
    }

    /// `within` steps of the epoch after `epoch` finished ones are done, or on their way to the device.
    pub fn step(&self, epoch: u64, within: u64) {
        self.epoch.set(Some(epoch));
        let place = self.place();
        events::phase(&place, within, self.plan.steps_per_epoch);
        self.show(place, within, self.plan.steps_per_epoch);
    }

    /// `done` of `total` pieces of `what`, between steps; a total of 0 stands for work that is not counted.
    pub fn phase(&self, what: &str, done: usize, total: usize) {
        let what = format!("{}: {what}", self.place());
        events::phase(&what, done as u64, total as u64);
        if self.show(what.clone(), done as u64, total as u64) && self.line_is_due() {
            tracing::info!("{what}");
        }
    }

    /// Shows how far `what` is, and says whether it begins.
    fn show(&self, what: String, done: u64, total: u64) -> bool {
        let mut shown = self.shown.borrow_mut();
        if let Some(shown) = shown.as_ref().filter(|shown| shown.what == what) {
            shown.bar.set_position(done);
            return false;
        }
        if let Some(old) = shown.take() {
            old.bar.finish_and_clear();
        }
        let bar = ProgressBar::new(total).with_style(bars::style(if total > 0 { COUNTED } else { UNCOUNTED }));
        let bar = bar.with_prefix(what.clone()).with_message(self.text.clone()).with_position(done);
        let bar = bars::add(&self.bars, bar);
        // Also what is over at once has been seen.
        bar.force_draw();
        *shown = Some(Shown { what, bar });
        true
    }

    /// Which part of the run it is.
    fn place(&self) -> String {
        match self.epoch.get() {
            None => "untrained encoder".to_owned(),
            Some(epoch) => format!("epoch {}/{}", (epoch + 1).min(self.plan.epochs), self.plan.epochs),
        }
    }

    /// Whether, where there is no bar, nothing has been said for long; it is said now.
    fn line_is_due(&self) -> bool {
        let due = self.bars.is_hidden() && self.last_line.get().elapsed() >= PLAIN_PERIOD;
        if due {
            self.last_line.set(Instant::now());
        }
        due
    }

    /// Shows how the latest steps went.
    pub fn pace(&mut self, pace: &StepReport) {
        self.first.get_or_insert((Instant::now(), pace.step));
        let (epoch, within) = position(&self.plan, pace.step);
        self.text = format!("{}{}", self.time_left(pace.step), describe(pace));
        if self.line_is_due() {
            let text = &self.text;
            tracing::info!("epoch {epoch}/{}  step {within}/{}  {text}", self.plan.epochs, self.plan.steps_per_epoch);
        }
        if let Some(shown) = self.shown.get_mut() {
            shown.bar.set_message(self.text.clone());
        }
    }

    /// Logs one line for a finished epoch: its pace, and the values given, such as `("kNN top-1", "61.2 %")`.
    pub fn epoch(&mut self, epoch: u64, pace: &StepReport, values: &[(String, String)]) {
        let mut line = format!("epoch {epoch}/{}  {}{}", self.plan.epochs, self.time_left(pace.step), describe(pace));
        for (name, value) in values {
            line.push_str(&format!("  {name} {value}"));
        }
        self.last_line.set(Instant::now());
        tracing::info!("{line}");
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(shown) = self.shown.take() {
            shown.bar.finish_and_clear();
        }
    }

    /// The time left with two spaces after it; empty at the end and before anything is known.
    fn time_left(&self, step: u64) -> String {
        match self.left(step) {
            Some(time) if !time.is_zero() => format!("{} left  ", bars::readable(time)),
            _ => String::new(),
        }
    }

    /// The time that the steps after `step` will take; none before anything is known.
    pub fn left(&self, step: u64) -> Option<Duration> {
        let remaining = (self.plan.epochs * self.plan.steps_per_epoch).saturating_sub(step);
        self.first.and_then(|(at, seen)| time_left(at.elapsed(), step.saturating_sub(seen), remaining))
    }
}

/// The epoch, from 1, and the steps done in it. A finished epoch counts as that epoch, full.
fn position(plan: &Plan, step: u64) -> (u64, u64) {
    let before = step.saturating_sub(1);
    (before / plan.steps_per_epoch.max(1) + 1, before % plan.steps_per_epoch.max(1) + step.min(1))
}

fn describe(pace: &StepReport) -> String {
    let StepReport { loss, images_per_s, data_wait, .. } = pace;
    let [loss_title, pace_title, wait_title] =
        [metric::TRAIN_LOSS, metric::IMAGES_PER_S, metric::DATA_WAIT].map(|metric| metric.title);
    format!("{loss_title} {loss:.4}  {images_per_s:.0} {pace_title}  {wait_title} {:.0} %", 100.0 * data_wait)
}

/// What the remaining steps take at the average pace so far; none before the first step.
fn time_left(elapsed: Duration, done: u64, remaining: u64) -> Option<Duration> {
    (done > 0).then(|| Duration::try_from_secs_f64(elapsed.as_secs_f64() / done as f64 * remaining as f64).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_remaining_steps_at_the_pace_of_this_process() {
        let minute = Duration::from_secs(60);
        assert_eq!(time_left(minute, 30, 90), Some(Duration::from_secs(180)));
        assert_eq!(time_left(minute, 0, 90), None);
        assert_eq!(time_left(minute, 30, 0), Some(Duration::ZERO));
        assert_eq!(time_left(Duration::MAX, 1, u64::MAX), None);
    }

    #[test]
    fn the_bar_counts_every_step_and_every_piece_of_a_phase() {
        let hidden = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden());
        let progress = Progress::start(&hidden, Plan { epochs: 2, steps_per_epoch: 5 });
        let shown = || {
            let shown = progress.shown.borrow();
            let bar = &shown.as_ref().unwrap().bar;
            (bar.prefix(), bar.position(), bar.length().unwrap_or(0))
        };
        progress.phase("embedding training images", 3, 8);
        assert_eq!(shown(), ("untrained encoder: embedding training images".to_owned(), 3, 8));
        for step in 0..=5 {
            progress.step(0, step);
            assert_eq!(shown(), ("epoch 1/2".to_owned(), step, 5));
        }
        progress.phase("saving a checkpoint", 0, 0);
        assert_eq!(shown(), ("epoch 1/2: saving a checkpoint".to_owned(), 0, 0));
        progress.step(1, 0);
        assert_eq!(shown(), ("epoch 2/2".to_owned(), 0, 5));
    }

    #[test]
    fn the_bar_is_full_at_the_end_of_an_epoch_and_restarts_in_the_next() {
        let plan = Plan { epochs: 2, steps_per_epoch: 10 };
        let positions = [0, 1, 9, 10, 11, 20].map(|step| position(&plan, step));
        assert_eq!(positions, [(1, 0), (1, 1), (1, 9), (1, 10), (2, 1), (2, 10)]);
    }
}
