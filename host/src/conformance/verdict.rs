//! What a check found.

use crate::output::terminal;
use serde::Serialize;
use std::fmt::{Display, Write};
use std::path::PathBuf;

/// Whether the user wishes to stop.
pub(super) type IsStopped<'a> = dyn Fn() -> bool + Sync + 'a;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// Gathers the verdicts about one thing.
pub(super) struct Verdicts<'a> {
    subject: String,
    is_stopped: &'a IsStopped<'a>,
    list: Vec<Verdict>,
}

impl<'a> Verdicts<'a> {
    pub(super) fn about(subject: String, is_stopped: &'a IsStopped<'a>) -> Self {
        Self { subject, is_stopped, list: Vec::new() }
    }

    fn push(&mut self, check: impl Into<String>, status: Status, detail: String) {
        self.list.push(Verdict { subject: self.subject.clone(), check: check.into(), status, detail });
    }

    /// Makes a check, notes how it ended, and returns what it found. Once the user wishes to stop, nothing is checked.
    pub(super) fn note<T, E: Display>(
        &mut self,
        check: &str,
        outcome: impl FnOnce() -> Result<(T, String), E>,
    ) -> Option<T> {
        if (self.is_stopped)() {
            return None;
        }
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

    pub(super) fn into_list(self) -> Vec<Verdict> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_a_line_whatever_the_plugin_says() {
        let mut verdicts = Verdicts::about("data set x".into(), &|| false);
        assert_eq!(verdicts.note("card", || Ok::<_, String>((7, String::new()))), Some(7));
        assert_eq!(verdicts.note::<(), _>("open train", || Err("two\nlines \x1b[2J")), None);
        verdicts.skip("block", "it has none");
        let verdicts = verdicts.into_list();
        let report = Report { file: "x.so".into(), plugin: "p".into(), version: "1.0.0".into(), verdicts };
        let expected = "p 1.0.0 (x.so)\nok      data set x, card\nFAILED  data set x, open train: two lines \\u001b[2J\n\
                        skipped data set x, block: it has none\n";
        assert_eq!((report.text().as_str(), report.failed()), (expected, 1));
    }

    #[test]
    fn nothing_is_checked_after_a_wish_to_stop() {
        let mut verdicts = Verdicts::about("data set x".into(), &|| true);
        assert_eq!(verdicts.note("card", || -> Result<((), String), String> { unreachable!("it is checked") }), None);
        assert_eq!(verdicts.into_list(), []);
    }
}
