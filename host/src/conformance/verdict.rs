//! What a check found.

use super::event::Event;
use crate::output::terminal;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Write};
use std::path::PathBuf;

/// Whether the user wishes to stop.
pub(super) type IsStopped<'a> = dyn Fn() -> bool + Sync + 'a;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The contract is kept.
    Ok,
    /// The contract is broken.
    Failed,
    /// Nothing was asked, because of an earlier failure or because the plugin does not offer it.
    Skipped,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `data set NAME` or `encoder NAME`.
    pub subject: String,
    /// What was checked, in a few words.
    pub check: String,
    /// How it ended.
    pub status: Status,
    /// What was found, or what broke the contract.
    pub detail: String,
}

/// The verdicts about one plugin file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// The plugin's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// In the order of the checks.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// Keeps what it is told of.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Plugin { name, version, .. } => (self.plugin, self.version) = (name, version),
            Event::Verdict(verdict) => self.verdicts.push(verdict),
            Event::Check { .. } | Event::Call { .. } | Event::Finished => {}
        }
    }

    /// Checks that failed.
    pub fn failed(&self) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.status == Status::Failed).count()
    }

    /// For people: one line a verdict.
    pub fn text(&self) -> String {
        let mut text = format!("{} {} ({})\n", self.plugin, self.version, self.file.display());
        for Verdict { subject, check, status, detail } in &self.verdicts {
            let colon = if detail.is_empty() { "" } else { ": " };
            // Writing to a string cannot fail; what a plugin says stays in its line.
            let line = format!("{subject}, {check}{colon}{}", detail.replace('\n', " "));
            let _ = writeln!(text, "{:<8}{}", status.word(), terminal::in_one_line(&line));
        }
        text
    }
}

/// Makes the checks of one thing, and tells of each.
pub(super) struct Verdicts<'a> {
    subject: String,
    is_stopped: &'a IsStopped<'a>,
    tell: &'a dyn Fn(Event),
}

impl<'a> Verdicts<'a> {
    pub(super) fn about(subject: String, is_stopped: &'a IsStopped<'a>, tell: &'a dyn Fn(Event)) -> Self {
        Self { subject, is_stopped, tell }
    }

    fn push(&mut self, check: &str, status: Status, detail: String) {
        let (subject, check) = (self.subject.clone(), check.to_owned());
        (self.tell)(Event::Verdict(Verdict { subject, check, status, detail }));
    }

    /// Makes a check, tells how it ended, and returns what it found. Once the user wishes to stop, nothing is checked.
    pub(super) fn note<T, E: Display>(
        &mut self,
        check: &str,
        outcome: impl FnOnce() -> Result<(T, String), E>,
    ) -> Option<T> {
        if (self.is_stopped)() {
            return None;
        }
        (self.tell)(Event::Check { subject: self.subject.clone(), check: check.to_owned() });
        match outcome() {
            Ok((found, detail)) => {
                self.push(check, Status::Ok, detail);
                Some(found)
            }
            Err(error) => {
                self.push(check, Status::Failed, error.to_string());
                None
            }
        }
    }

    pub(super) fn skip(&mut self, check: &str, why: &str) {
        self.push(check, Status::Skipped, why.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// The verdicts among what is told.
    fn told(check: impl FnOnce(&dyn Fn(Event))) -> Vec<Verdict> {
        let verdicts = RefCell::new(Vec::new());
        check(&|event| {
            if let Event::Verdict(verdict) = event {
                verdicts.borrow_mut().push(verdict);
            }
        });
        verdicts.into_inner()
    }

    #[test]
    fn a_verdict_is_a_line_whatever_the_plugin_says() {
        let verdicts = told(|tell| {
            let mut of = Verdicts::about("data set x".into(), &|| false, tell);
            assert_eq!(of.note("card", || Ok::<_, String>((7, String::new()))), Some(7));
            assert_eq!(of.note::<(), _>("open train", || Err("two\nlines \x1b[2J")), None);
            of.skip("block", "it has none");
        });
        let report = Report { file: "x.so".into(), plugin: "p".into(), version: "1.0.0".into(), verdicts };
        let expected = "p 1.0.0 (x.so)\nok      data set x, card\nFAILED  data set x, open train: two lines \\u001b[2J\n\
                        skipped data set x, block: it has none\n";
        assert_eq!((report.text().as_str(), report.failed()), (expected, 1));
    }

    #[test]
    fn nothing_is_checked_after_a_wish_to_stop() {
        let verdicts = told(|tell| {
            let mut of = Verdicts::about("data set x".into(), &|| true, tell);
            let checked = of.note("card", || -> Result<((), String), String> { unreachable!("it is checked") });
            assert_eq!(checked, None);
        });
        assert_eq!(verdicts, []);
    }
}
