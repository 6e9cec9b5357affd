//! How a training run is coming along: a bar on a terminal, plain lines elsewhere.

use crate::train::observer::Pace;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};

/// Between plain lines inside an epoch.
const PLAIN_PERIOD: Duration = Duration::from_secs(10);

/// The length of a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Epochs in all.
    pub epochs: u64,
    /// Steps in each.
    pub steps_per_epoch: u64,
}

/// Progress of one training run. It shows a bar when `bars` draws to a terminal, and otherwise logs a line now and then.
pub struct Progress {
    plan: Plan,
    /// When the first steps of this process were seen, and how many there were: measuring comes before them.
    first: Option<(Instant, u64)>,
    last_line: Instant,
    bar: ProgressBar,
}

impl Progress {
    /// Makes the bar.
    pub fn start(bars: &MultiProgress, plan: Plan) -> Self {
        let bar = bars.add(ProgressBar::new(plan.steps_per_epoch));
        let style = ProgressStyle::with_template("{prefix} {bar:16} {pos}/{len}  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
        Self { plan, first: None, last_line: Instant::now(), bar }
    }

    /// Shows how the latest steps went.
    pub fn step(&mut self, pace: &Pace) {
        self.first.get_or_insert((Instant::now(), pace.step));
        let (epoch, within) = position(&self.plan, pace.step);
        let text = format!("{}{}", self.time_left(pace.step), describe(pace));
        self.bar.set_prefix(format!("epoch {epoch}/{}", self.plan.epochs));
        self.bar.set_position(within);
        if self.bar.is_hidden() && self.last_line.elapsed() >= PLAIN_PERIOD {
            self.last_line = Instant::now();
            tracing::info!("epoch {epoch}/{}  step {within}/{}  {text}", self.plan.epochs, self.plan.steps_per_epoch);
        }
        self.bar.set_message(text);
    }

    /// Logs one line for a finished epoch: its pace, and the values given, such as `("kNN top-1", "61.2 %")`.
    pub fn epoch(&mut self, epoch: u64, pace: &Pace, values: &[(&str, String)]) {
        let mut line = format!("epoch {epoch}/{}  {}{}", self.plan.epochs, self.time_left(pace.step), describe(pace));
        for (name, value) in values {
            line.push_str(&format!("  {name} {value}"));
        }
        self.last_line = Instant::now();
        tracing::info!("{line}");
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The time left with two spaces after it; empty at the end and before anything is known.
    fn time_left(&self, step: u64) -> String {
        let remaining = (self.plan.epochs * self.plan.steps_per_epoch).saturating_sub(step);
        let time = self.first.and_then(|(at, seen)| time_left(at.elapsed(), step.saturating_sub(seen), remaining));
        match time {
            Some(time) if remaining > 0 => format!("{} left  ", readable(time)),
            _ => String::new(),
        }
    }
}

/// The epoch, from 1, and the steps done in it. A finished epoch counts as that epoch, full.
fn position(plan: &Plan, step: u64) -> (u64, u64) {
    let before = step.saturating_sub(1);
    (before / plan.steps_per_epoch.max(1) + 1, before % plan.steps_per_epoch.max(1) + step.min(1))
}

fn describe(pace: &Pace) -> String {
    let Pace { loss, images_per_s, data_wait, .. } = pace;
    format!("loss {loss:.4}  {images_per_s:.0} images/s  data wait {:.0} %", 100.0 * data_wait)
}

/// What the remaining steps take at the average pace so far; none before the first step.
fn time_left(elapsed: Duration, done: u64, remaining: u64) -> Option<Duration> {
    (done > 0).then(|| Duration::try_from_secs_f64(elapsed.as_secs_f64() / done as f64 * remaining as f64).ok())?
}

fn readable(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match seconds {
        86_400.. => format!("{days} d {hours:02} h"),
        3_600.. => format!("{hours} h {minutes:02} min"),
        60.. => format!("{minutes} min {:02} s", seconds % 60),
        _ => format!("{seconds} s"),
    }
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
    fn durations_are_readable() {
        let show = |seconds| readable(Duration::from_secs(seconds));
        assert_eq!([show(0), show(59), show(61)], ["0 s", "59 s", "1 min 01 s"]);
        assert_eq!([show(3_600), show(86_399), show(90_061)], ["1 h 00 min", "23 h 59 min", "1 d 01 h"]);
    }

    #[test]
    fn the_bar_is_full_at_the_end_of_an_epoch_and_restarts_in_the_next() {
        let plan = Plan { epochs: 2, steps_per_epoch: 10 };
        let positions = [0, 1, 9, 10, 11, 20].map(|step| position(&plan, step));
        assert_eq!(positions, [(1, 0), (1, 1), (1, 9), (1, 10), (2, 1), (2, 10)]);
    }
}
