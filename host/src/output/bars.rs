//! What all bars have in common: they move by themselves, and their numbers are readable.

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::time::Duration;

/// Between two movements.
const TICK: Duration = Duration::from_millis(200);

/// A style with the keys `{rate}` and `{left}` beside indicatif's own.
pub(super) fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    // Nobody can be told that a bar cannot be written.
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
        let _ = out.write_str(&rate(state.per_sec()));
    });
    let style = style.with_key("left", |state: &ProgressState, out: &mut dyn Write| {
        if state.per_sec() > 0.0 {
            let _ = write!(out, "{} left", readable(state.eta()));
        }
    });
    style.progress_chars("━╸─")
}

/// Adds a bar to a terminal, where it moves as long as it stands, whatever else this process waits for.
pub(super) fn add(bars: &MultiProgress, bar: ProgressBar) -> ProgressBar {
    let bar = bars.add(bar);
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}

fn rate(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.1}/s") } else { format!("{per_second:.0}/s") }
}

/// A duration in its two largest units.
pub fn readable(time: Duration) -> String {
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
    fn durations_and_rates_are_readable() {
        let show = |seconds| readable(Duration::from_secs(seconds));
        assert_eq!([show(0), show(59), show(61)], ["0 s", "59 s", "1 min 01 s"]);
        assert_eq!([show(3_600), show(86_399), show(90_061)], ["1 h 00 min", "23 h 59 min", "1 d 01 h"]);
        assert_eq!([rate(16_753.690_8), rate(808.573_2), rate(0.25)], ["16754/s", "809/s", "0.2/s"]);
    }
}
