//! What a run came to: a table at its end, a text summary, and a page with curves.

use super::facts::{evaluation_warnings, facts};
use super::gallery;
use super::html;
use super::scores::scores;
use super::views;
use crate::error::Error;
use crate::evaluate;
use crate::metric;
use crate::regular_file;
use crate::run::files::CONFIG_FILE;
use crate::run::metrics;
use crate::run::record::{RunRecord, RunStatus};
use crate::storage::{Disk, Naming, write_atomically};
use std::path::{Path, PathBuf};

/// The page's name in a run's folder.
pub const REPORT_FILE: &str = "report.html";

/// What a finished run prints: the scores, the run's folder, and commands to run next.
pub fn final_report(record: &RunRecord, run_dir: &Path, next: &[String]) -> String {
    let mut scores = scores(record);
    if !scores.is_empty() {
        scores.push('\n');
    }
    let mut text = format!("{scores}Embedding   {}\nRun folder  {}\n", record.embedding, run_dir.display());
    text.push_str(&warned(record.warnings.iter()));
    for (i, command) in next.iter().enumerate() {
        text.push_str(&format!("{}  {command}\n", if i == 0 { "Next      " } else { "          " }));
    }
    text
}

fn warned<'a>(warnings: impl Iterator<Item = &'a String>) -> String {
    warnings.map(|warning| format!("Warning     {warning}\n")).collect()
}

/// A run in words: how it ended, what ran, its scores and its last metrics.
pub fn summary(run_dir: &Path) -> Result<String, Error> {
    let record = so_far(RunRecord::read(run_dir)?, &metrics::read(run_dir)?);
    let mut text = String::new();
    for (name, value) in facts(&record) {
        text.push_str(&format!("{name:<12}{value}\n"));
    }
    let scores = scores(&record);
    if !scores.is_empty() {
        text.push_str(&format!("\n{scores}"));
    }
    text.push_str(&warned(record.warnings.iter()));
    let evaluations = evaluate::read_all(run_dir)?;
    if !evaluations.is_empty() {
        text.push_str(&format!("\n{}\n", evaluate::summary(&evaluations)));
        text.push_str(&warned(evaluation_warnings(&evaluations).iter()));
    }
    if !record.metrics.is_empty() {
        let width = record.metrics.keys().map(String::len).max().unwrap_or(0);
        text.push('\n');
        for (name, value) in &record.metrics {
            text.push_str(&format!("{name:<width$}  {value:.4}\n"));
        }
    }
    Ok(text)
}

/// Writes a run's page, which needs no other file and no network, and says where it is.
pub fn write_html(run_dir: &Path) -> Result<PathBuf, Error> {
    let path = run_dir.join(REPORT_FILE);
    write_html_as(run_dir, &path)?;
    Ok(path)
}

/// Writes a run's page under this name.
///
/// # Errors
/// A folder that holds no run, files that cannot be read or written.
pub fn write_html_as(run_dir: &Path, path: &Path) -> Result<(), Error> {
    let log = metrics::read(run_dir)?;
    let record = so_far(RunRecord::read(run_dir)?, &log);
    let config_path = run_dir.join(CONFIG_FILE);
    let config = regular_file::read_text(&config_path).naming("read", &config_path)?;
    let evaluations = evaluate::read_all(run_dir)?;
    let drawn = if_readable("map of the embeddings", gallery::read(run_dir));
    let sheet = if_readable("views", views::read(run_dir));
    let page = html::page(&record, &config, &log, &evaluations, drawn.as_ref(), sheet.as_ref());
    Ok(write_atomically(&Disk, path, page.as_bytes())?)
}

/// What only draws costs no page.
fn if_readable<T>(what: &str, read: Result<Option<T>, Error>) -> Option<T> {
    read.unwrap_or_else(|error| {
        tracing::warn!("the page shows no {what}: {error}");
        None
    })
}

/// The record of a run that goes on or was killed, with what its log knows already.
pub(super) fn so_far(mut record: RunRecord, log: &[metrics::Record]) -> RunRecord {
    if record.status == RunStatus::Running {
        for line in log.iter().filter(|line| line.event != "step") {
            let named = |(name, value): (&String, &f64)| match line.event.as_str() {
                "untrained" => (metric::untrained(name), *value),
                _ => (name.clone(), *value),
            };
            record.metrics.extend(line.metrics.iter().map(named));
            record.epochs_done = record.epochs_done.max(line.epoch as usize);
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::folder::RunFolder;
    use crate::run::metrics::MetricsLog;
    use crate::run::record::tests::example_record;
    use std::collections::BTreeMap;

    fn run(config: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(dir.path(), false).unwrap();
        let mut record = example_record();
        record.metrics.insert("untrained/knn/val/accuracy".into(), 0.25);
        record.metrics.insert("linear/val/accuracy".into(), 0.8125);
        folder.write_record(&record).unwrap();
        folder.write_config(config).unwrap();
        let mut log = MetricsLog::open(dir.path(), None).unwrap();
        for step in 1..=20 {
            let x = step as f64 / 20.0;
            let values = [
                ("ssl/train/loss", 5.0 - x),
                ("ssl/val/loss", 5.1 - x),
                ("knn/val/accuracy", 0.25 + x / 2.0),
                ("online/val/accuracy", 0.3 + x / 2.0),
                ("optim/lr", 0.03 * x),
                ("throughput/images_per_s", 800.0 + 10.0 * x.sin()),
                ("features/std", 0.04 + x / 100.0),
            ];
            log.write("epoch", 100 * step, step, &BTreeMap::from(values.map(|(k, v)| (k.to_owned(), v)))).unwrap();
        }
        dir
    }

    #[test]
    fn the_final_report_says_where_and_what_next() {
        let next = ["selfsame report runs/a".to_owned(), "selfsame evaluate runs/a".to_owned()];
        let text = final_report(&example_record(), Path::new("runs/a"), &next);
        assert!(text.contains("\nScored on 5000 val images of CIFAR10.\n"), "{text}");
        let end = "\nRun folder  runs/a\nNext        selfsame report runs/a\n            selfsame evaluate runs/a\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_summary_names_status_scores_and_metrics() {
        let text = summary(run("a: 1\n").path()).unwrap();
        for part in ["completed, 20 of 20 epochs", "45000 train, 5000 val", "25.0 %", "81.2 %", "ssl/train/loss"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        let error = summary(Path::new("no/run")).unwrap_err().to_string();
        assert!(error.contains("no/run holds no run"), "{error}");
    }

    #[test]
    fn a_run_that_goes_on_is_told_from_its_log() {
        let dir = run("a: 1\n");
        let mut record = RunRecord::read(dir.path()).unwrap();
        (record.status, record.epochs_done, record.finished) = (RunStatus::Running, 0, None);
        record.metrics.clear();
        std::fs::write(dir.path().join("run.json"), serde_json::to_string(&record).unwrap()).unwrap();
        let page = std::fs::read_to_string(write_html(dir.path()).unwrap()).unwrap();
        assert!(page.contains("20 of 20 epochs, running") && page.contains("kNN top-1: <b>75.0 %</b>"), "{page}");
    }

    #[test]
    fn the_page_has_every_curve_and_nothing_from_a_config_runs() {
        let dir = run("name: \"<script>alert('&')</script>\"\n");
        let path = write_html(dir.path()).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
        assert!(page.contains("configs/&lt;cifar&gt;.yaml"));
        assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh\""));
        assert_eq!(page.matches("<svg").count(), 5);
        assert!(page.contains("<details><summary>Configuration</summary>"));
        assert!(!page.contains("src=") && !page.contains("href="), "needs no other file");
    }
}
