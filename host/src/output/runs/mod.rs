//! Several runs side by side: what each is, how far it came, and how good it is.

pub mod comparison;
mod find;
mod headline;
mod table;

pub use find::below;
pub use headline::{Headline, Kind};
pub use table::{json, table};

use super::report::so_far;
use crate::error::Error;
use crate::evaluate;
use crate::run::metrics;
use crate::run::record::{RunRecord, RunStatus};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// What is known of a run without its curves.
#[derive(Debug)]
pub struct RunSummary {
    /// What it is called among the others.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What ran, with what its log knows already where it goes on.
    pub record: RunRecord,
    /// Its main scores, the one that says most first.
    pub headlines: Vec<Headline>,
}

impl RunSummary {
    /// Reads the run in a folder.
    ///
    /// # Errors
    /// A folder that holds no run, and files that cannot be read.
    pub fn read(folder: &Path, name: String) -> Result<Self, Error> {
        let mut record = RunRecord::read(folder)?;
        if record.status == RunStatus::Running {
            record = so_far(record, &metrics::read(folder)?);
        }
        let headlines = headline::of(&record, &evaluate::read_all(folder)?);
        Ok(Self { name, folder: folder.to_owned(), record, headlines })
    }

    /// Its value of a score.
    pub(super) fn score(&self, kind: &Kind) -> Option<&Headline> {
        self.headlines.iter().find(|headline| headline.kind == *kind)
    }
}

/// The kinds of scores that these runs have, the one that most of them have first: scores of different kinds are never
/// compared. Among equals, that of the first run comes first.
fn kinds(runs: &[RunSummary]) -> Vec<Kind> {
    let mut kinds: Vec<(Kind, usize)> = Vec::new();
    for headline in runs.iter().flat_map(|run| &run.headlines) {
        match kinds.iter_mut().find(|(kind, _)| *kind == headline.kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((headline.kind.clone(), 1)),
        }
    }
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), kind.rank()));
    kinds.into_iter().map(|(kind, _)| kind).collect()
}

/// Puts the best run first, by the kind of score that most runs have; runs without it follow by name. Returns that kind.
pub fn sort(runs: &mut [RunSummary]) -> Option<Kind> {
    let kind = kinds(runs).into_iter().next();
    let value = |run: &RunSummary| Some(run.score(kind.as_ref()?)?.value);
    runs.sort_by(|a, b| {
        let by_value = match (value(a), value(b)) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        by_value.then_with(|| a.name.cmp(&b.name))
    });
    kind
}

/// How far a run came, in words.
fn progress(record: &RunRecord) -> String {
    let status = match record.status {
        RunStatus::Completed => "completed",
        RunStatus::Running => "running, or killed",
        RunStatus::Interrupted => "interrupted",
        RunStatus::Failed => "failed",
    };
    format!("{} of {} epochs, {status}", record.epochs_done, record.epochs)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::run::record::tests::example_record;

    /// A run with these metrics.
    pub(in crate::output) fn run(name: &str, metrics: &[(&str, f64)]) -> RunSummary {
        let mut record = example_record();
        record.metrics = metrics.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        let headlines = headline::of(&record, &[]);
        RunSummary { name: name.into(), folder: name.into(), record, headlines }
    }

    #[test]
    fn runs_are_sorted_by_the_score_that_most_have_and_others_follow() {
        let mut runs = [
            run("unscored", &[]),
            run("ranked", &[("knn/val/auroc", 0.99)]),
            run("worse", &[("knn/val/accuracy", 0.5)]),
            run("better", &[("knn/val/accuracy", 0.75), ("linear/val/accuracy", 0.25)]),
        ];
        let kind = sort(&mut runs).unwrap();
        assert_eq!(kind.to_string(), "kNN top-1, val split of CIFAR10");
        assert_eq!(runs.each_ref().map(|run| run.name.as_str()), ["better", "worse", "ranked", "unscored"]);
        assert!(sort(&mut runs[3..]).is_none());
    }
}
