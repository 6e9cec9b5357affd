//! `selfsame doctor`: what this machine offers, and what to do where something is missing.

mod benchmark;
mod collectives;
mod cpu;
mod gpu;
mod places;

use super::args::DoctorArgs;
use super::failure::Failure;
use super::print::{pretty, say};
use super::several;
use crate::world::Start;
use crate::{device, native};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// What was found of one part of the machine.
struct Line {
    name: String,
    found: String,
    state: State,
}

enum State {
    Good,
    /// It works; this would make it better.
    Better(String),
    /// It does not work before this is done.
    Bad(String),
}

impl Line {
    fn good(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), found: found.into(), state: State::Good }
    }

    fn better(name: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Better(advice.into()), ..Self::good(name, found) }
    }

    fn bad(name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Bad(remedy.into()), ..Self::good(name, found) }
    }

    fn text(&self) -> String {
        let (mark, advice) = match &self.state {
            State::Good => ("ok", None),
            State::Better(advice) => ("note", Some(advice)),
            State::Bad(remedy) => ("BAD", Some(remedy)),
        };
        let advice = advice.map(|advice| format!("\n{:22}→ {advice}", "")).unwrap_or_default();
        format!("{mark:<4} {:<16} {}{advice}", self.name, self.found)
    }

    fn json(&self) -> Value {
        let (state, advice) = match &self.state {
            State::Good => ("ok", None),
            State::Better(advice) => ("note", Some(advice)),
            State::Bad(remedy) => ("bad", Some(remedy)),
        };
        json!({ "name": self.name, "found": self.found, "state": state, "advice": advice })
    }
}

/// Prints a line for each part of the machine; where it is one of several processes, they measure how fast they sum.
///
/// # Errors
/// Exit code 5 where a line is bad.
pub fn doctor(arguments: &DoctorArgs, plugins: &[PathBuf], start: Start) -> Result<(), Failure> {
    let collectives = match start {
        Start::Alone => collectives::line(),
        Start::Fleet(fleet) => return several::start(&fleet),
        Start::Member(launch) => {
            let world = several::join(launch, collectives::TIMEOUT)?;
            match several::end(&world, collectives::measured(&world).map_err(Failure::from), false)? {
                Some(line) => line,
                None => return Ok(()),
            }
        }
    };
    let lines = examine(plugins, collectives);
    let bad: Vec<_> = lines.iter().filter(|line| matches!(line.state, State::Bad(_))).collect();
    if arguments.json {
        say(&pretty(&json!({ "ok": bad.is_empty(), "lines": lines.iter().map(Line::json).collect::<Vec<_>>() })))?;
    } else {
        say(&lines.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{}", line.text());
            text
        }))?;
    }
    match bad.as_slice() {
        [] => Ok(()),
        bad => {
            let names: Vec<_> = bad.iter().map(|line| line.name.as_str()).collect();
            Err(Failure { message: format!("not ready: {}", names.join(", ")), code: 5 })
        }
    }
}

fn examine(plugins: &[PathBuf], collectives: Line) -> Vec<Line> {
    let mut lines = vec![Line::good("selfsame", env!("CARGO_PKG_VERSION")), libtorch()];
    lines.extend(cpu::lines());
    lines.extend(gpu::lines());
    lines.extend(places::lines(plugins));
    lines.extend([collectives, benchmark::line()]);
    lines
}

fn libtorch() -> Line {
    let folder = device::libtorch_folder().map(|folder| format!(" from {}", folder.display()));
    Line::good("libtorch", format!("{}{}", native::libtorch_version(), folder.unwrap_or_default()))
}

/// Bytes as people read them.
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_below_what_was_found() {
        assert_eq!(Line::good("CPU", "fast").text(), "ok   CPU              fast");
        let bad = Line::bad("plugins", "none", "build them");
        assert_eq!(bad.text(), "BAD  plugins          none\n                      → build them");
        let expected = json!({ "name": "plugins", "found": "none", "state": "bad", "advice": "build them" });
        assert_eq!(bad.json(), expected);
        assert_eq!(Line::better("a", "b", "c").json()["state"], "note");
    }
}
