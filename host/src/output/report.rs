//! What a run came to: a table at its end, a text summary, and a page with curves.

use super::html;
use crate::evaluate::{self, Evaluation};
use crate::metric::{self, Metric, Probe};
use crate::regular_file;
use crate::run::RunFolderError;
use crate::run::files::CONFIG_FILE;
use crate::run::metrics;
use crate::run::record::{DataSetRecord, RunRecord, RunStatus};
use crate::storage::{Disk, FileError, Naming, write_atomically};
use crate::train::TrainError;
use comfy_table::{CellAlignment, Table, presets};
use selfsame_plugin_api::Split;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The page's name in a run's folder.
pub const REPORT_FILE: &str = "report.html";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder has no readable record.
    #[error(transparent)]
    Run(#[from] RunFolderError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The result of an evaluation cannot be read.
    #[error("{0}")]
    Evaluation(String),
}

impl From<ReportError> for TrainError {
    fn from(error: ReportError) -> Self {
        Self::data(error.to_string())
    }
}

/// The columns of the closing table.
const COLUMNS: [(Probe, &Metric); 4] = [
    (Probe::Knn, &metric::ACCURACY),
    (Probe::Linear, &metric::ACCURACY),
    (Probe::Knn, &metric::AUROC),
    (Probe::Linear, &metric::AUROC),
];

/// Scores of an encoder on held-out images, in the order of the closing table's columns; none where not measured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scores([Option<f64>; COLUMNS.len()]);

impl Scores {
    /// The scores in a record's metrics: those of the test split where there are any, else of the validation split; with
    /// `untrained`, of the encoder before its first step. A run that was not finished has no linear probe.
    pub fn of(record: &RunRecord, untrained: bool) -> Self {
        let find = |(probe, score): (Probe, &Metric)| {
            let name = |split| probe.metric(split, score);
            let name = |split| if untrained { metric::untrained(&name(split)) } else { name(split) };
            [Split::Test, Split::Val].into_iter().find_map(|split| record.metrics.get(&name(split)).copied())
        };
        Self(COLUMNS.map(find))
    }
}

/// The closing table: titles of the columns that have a value, and the rows `untrained` and `trained`.
pub(super) struct ScoreRows {
    pub(super) titles: Vec<String>,
    pub(super) rows: [Vec<String>; 2],
    /// Row and column of the better of the two values.
    pub(super) better: Vec<(usize, usize)>,
}

pub(super) fn score_rows(untrained: &Scores, trained: &Scores) -> ScoreRows {
    let mut table = ScoreRows {
        titles: vec!["encoder".to_owned()],
        rows: [vec!["untrained".to_owned()], vec!["trained".to_owned()]],
        better: Vec::new(),
    };
    for (at, (probe, score)) in COLUMNS.into_iter().enumerate() {
        let values = [untrained.0[at], trained.0[at]];
        if values == [None, None] {
            continue;
        }
        if let [Some(before), Some(after)] = values {
            let column = table.titles.len();
            table.better.extend(score.is_better(before, after).then_some((0, column)));
            table.better.extend(score.is_better(after, before).then_some((1, column)));
        }
        table.titles.push(probe.titled(score));
        for (row, value) in table.rows.iter_mut().zip(values) {
            row.push(value.filter(|value| value.is_finite()).map_or("–".into(), |value| score.text(value)));
        }
    }
    table
}

/// The table that compares an encoder before its first step with itself after the last.
pub fn score_table(untrained: &Scores, trained: &Scores) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED.with_rounded_corners());
    let ScoreRows { titles, rows, .. } = score_rows(untrained, trained);
    table.set_header(titles);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The images that the table's scores are of: `Scored on 5000 val images of CIFAR100, from which …`.
pub fn scored_on(record: &RunRecord) -> Option<String> {
    let probed = record.data_sets.iter().find(|data| data.probed)?;
    let sized = |split: Split| Some((split.name(), probed.split_sizes.get(split.name())?));
    let (split, size) = [Split::Test, Split::Val].into_iter().find_map(sized)?;
    let several = record.data_sets.iter().filter(|data| data.name == probed.name).count() > 1;
    let called = |data: &DataSetRecord| match &data.folder {
        Some(folder) if several => format!("{} ({})", data.name, folder.display()),
        _ => data.name.clone(),
    };
    let learned = match probed.images_per_epoch {
        0 => {
            let from: Vec<_> = record.data_sets.iter().filter(|data| data.images_per_epoch > 0).map(called).collect();
            format!("; the encoder learned from {} alone", from.join(" + "))
        }
        _ => String::new(),
    };
    Some(format!("Scored on {size} {split} images of {}{learned}.", called(probed)))
}

/// The scores before and after training, and what they are of.
fn scores(record: &RunRecord) -> String {
    let (untrained, trained) = (Scores::of(record, true), Scores::of(record, false));
    if (untrained, trained) == Default::default() {
        return String::new();
    }
    let table = score_table(&untrained, &trained);
    scored_on(record).map_or_else(|| format!("{table}\n"), |line| format!("{table}\n{line}\n"))
}

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

/// What has to be known of the scores of evaluations, each once, after the names of the results that it is said of.
pub(super) fn evaluation_warnings(evaluations: &[(String, Evaluation)]) -> Vec<String> {
    let mut named: Vec<(&String, Vec<&str>)> = Vec::new();
    for (name, result) in evaluations {
        for warning in &result.warnings {
            match named.iter_mut().find(|(known, _)| *known == warning) {
                Some((_, names)) => names.push(name),
                None => named.push((warning, vec![name])),
            }
        }
    }
    named.into_iter().map(|(warning, names)| format!("{}: {warning}", names.join(", "))).collect()
}

/// A word of a command line as a shell takes it; `KEY=VALUE` needs no quotes.
fn quoted(word: &str) -> Cow<'_, str> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            format!("{}={}", shell_words::quote(key), shell_words::quote(value)).into()
        }
        _ => shell_words::quote(word),
    }
}

/// A run in words: how it ended, what ran, its scores and its last metrics.
pub fn summary(run_dir: &Path) -> Result<String, ReportError> {
    let record = RunRecord::read(run_dir)?;
    let mut text = String::new();
    for (name, value) in facts(&record) {
        text.push_str(&format!("{name:<12}{value}\n"));
    }
    let scores = scores(&record);
    if !scores.is_empty() {
        text.push_str(&format!("\n{scores}"));
    }
    text.push_str(&warned(record.warnings.iter()));
    let evaluations = evaluations(run_dir)?;
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

/// What was found by evaluating the run, by the name of its file.
fn evaluations(run_dir: &Path) -> Result<Vec<(String, Evaluation)>, ReportError> {
    evaluate::read_all(run_dir).map_err(|error| ReportError::Evaluation(error.to_string()))
}

/// Writes a run's page, which needs no other file and no network, and says where it is.
pub fn write_html(run_dir: &Path) -> Result<PathBuf, ReportError> {
    let record = RunRecord::read(run_dir)?;
    let config_path = run_dir.join(CONFIG_FILE);
    let config = regular_file::read_text(&config_path).naming("read", &config_path)?;
    let evaluations = evaluations(run_dir)?;
    let page = html::page(&record, &config, &metrics::read(run_dir)?, &evaluations);
    let path = run_dir.join(REPORT_FILE);
    write_atomically(&Disk, &path, page.as_bytes())?;
    Ok(path)
}

/// Name and value of what is worth knowing about a run.
pub(super) fn facts(record: &RunRecord) -> Vec<(&'static str, String)> {
    let status = match record.status {
        RunStatus::Running => "running, or killed",
        RunStatus::Completed => "completed",
        RunStatus::Interrupted => "interrupted (continue it with --resume)",
        RunStatus::Failed => "failed",
    };
    let second = |time: jiff::Timestamp| time.round(jiff::Unit::Second).unwrap_or(time).to_string();
    let mut time = second(record.started);
    if let Some(finished) = record.finished {
        time.push_str(&format!(" to {}", second(finished)));
    }
    let mut facts = vec![
        ("Status", format!("{status}, {} of {} epochs", record.epochs_done, record.epochs)),
        ("Method", format!("{}, {}", record.method, record.encoder)),
        ("Embedding", record.embedding.clone()),
        ("Data", data(record)),
        ("Time", time),
        (
            "Device",
            format!("{}, {} thread{}", record.device, record.threads, if record.threads == 1 { "" } else { "s" }),
        ),
        ("Seed", record.seed.to_string()),
        ("Versions", format!("selfsame {}, libtorch {}", record.selfsame_version, record.libtorch_version)),
        ("Command", record.command_line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
    ];
    for plugin in &record.plugins {
        facts.push(("Plugin", format!("{} (SHA-256 {})", plugin.path, plugin.sha256)));
    }
    facts
}

/// The data sets with their splits, and what each is for where there are several.
fn data(record: &RunRecord) -> String {
    let several = record.data_sets.len() > 1;
    let one = |data: &DataSetRecord| {
        let splits: Vec<_> = data.split_sizes.iter().map(|(split, size)| format!("{size} {split}")).collect();
        let mut text = format!("{} ({})", data.name, splits.join(", "));
        if several && data.images_per_epoch > 0 {
            text.push_str(&format!(", {} images an epoch", data.images_per_epoch));
        }
        if several && data.probed {
            text.push_str(", head and probes");
        }
        text
    };
    record.data_sets.iter().map(one).collect::<Vec<_>>().join("; ")
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
    fn the_table_shows_percentages_with_one_decimal() {
        let untrained = Scores([Some(0.2549), None, None, None]);
        let trained = Scores([Some(0.75), Some(1.0), None, None]);
        let table = score_table(&untrained, &trained);
        let expected = "\
╭───────────┬───────────┬─────────────────────────╮
│ encoder   ┆ kNN top-1 ┆ linear (fixed L2) top-1 │
╞═══════════╪═══════════╪═════════════════════════╡
│ untrained ┆    25.5 % ┆                       – │
│ trained   ┆    75.0 % ┆                 100.0 % │
╰───────────┴───────────┴─────────────────────────╯";
        assert_eq!(table, expected);
    }

    #[test]
    fn columns_without_a_value_are_not_shown() {
        let mut record = example_record();
        record.metrics.clear();
        for (name, value) in [("knn/val/auroc", 0.625), ("linear/val/auroc", 0.75), ("online/val/accuracy", 0.9)] {
            record.metrics.insert(name.into(), value);
        }
        let expected = "\
╭───────────┬───────────┬─────────────────────────╮
│ encoder   ┆ kNN AUROC ┆ linear (fixed L2) AUROC │
╞═══════════╪═══════════╪═════════════════════════╡
│ untrained ┆         – ┆                       – │
│ trained   ┆    62.5 % ┆                  75.0 % │
╰───────────┴───────────┴─────────────────────────╯";
        assert_eq!(score_table(&Scores::of(&record, true), &Scores::of(&record, false)), expected);
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
    fn a_data_set_of_the_heads_own_is_named() {
        let mut record = example_record();
        record.data_sets[0].probed = false;
        record.data_sets.push(DataSetRecord {
            folder: None,
            name: "CIFAR100".into(),
            images_per_epoch: 0,
            probed: true,
            split_sizes: BTreeMap::from([("test".into(), 10_000), ("train".into(), 50_000)]),
            samples_sha256: None,
        });
        let line = "Scored on 10000 test images of CIFAR100; the encoder learned from CIFAR10 alone.";
        assert_eq!(scored_on(&record).as_deref(), Some(line));
        assert_eq!(
            data(&record),
            "CIFAR10 (45000 train, 5000 val), 45000 images an epoch; CIFAR100 (10000 test, 50000 train), head and probes"
        );
    }

    #[test]
    fn the_test_split_is_preferred_to_the_validation_split() {
        let mut record = example_record();
        assert_eq!(Scores::of(&record, false), Scores([Some(0.75), None, None, None]));
        record.metrics.insert("knn/test/accuracy".into(), 0.7);
        assert_eq!(Scores::of(&record, false).0[0], Some(0.7));
        assert_eq!(Scores::of(&record, true), Scores::default());
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
    fn the_page_has_every_curve_and_nothing_from_a_config_runs() {
        let dir = run("name: \"<script>alert('&')</script>\"\n");
        let path = write_html(dir.path()).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
        assert!(page.contains("configs/&lt;cifar&gt;.yaml"));
        assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh\""));
        assert_eq!(page.matches("<svg").count(), 5);
        assert!(!page.contains("src=") && !page.contains("href="), "needs no other file");
    }
}
