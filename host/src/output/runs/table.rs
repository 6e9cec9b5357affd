//! Runs as a table for people, and as JSON.

use super::{Headline, Kind, RunSummary, progress};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

/// Columns of a terminal.
const TERMINAL: u16 = 80;
/// The longest name of a data set beside its split.
const NAME: usize = 14;

/// A run a row, at most 80 columns wide: what it is and how far it came, its scores with their intervals, and the untrained
/// encoder's; `sorted_by` is told below.
pub fn table(runs: &[RunSummary], sorted_by: Option<&Kind>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL.with_rounded_corners());
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(TERMINAL);
    table.set_header(["run", "score", "trained"]);
    for run in runs {
        let record = &run.record;
        let what = [
            run.name.clone(),
            format!("{}, {}", record.encoder, record.method),
            record.dataset.clone(),
            progress(record),
        ];
        let (mut titles, mut values) = (Vec::new(), Vec::new());
        for headline in &run.headlines {
            titles.extend([headline.kind.title(), place(&headline.kind)]);
            values.extend([headline.text(), headline.before()]);
        }
        table.add_row([what.join("\n"), titles.join("\n"), values.join("\n")]);
    }
    let below = match sorted_by {
        Some(kind) => format!("Sorted by {kind}.\nIn brackets: 95 % intervals over the scored images."),
        None => "Nothing was scored.".to_owned(),
    };
    format!("{table}\n{below}")
}

fn place(kind: &Kind) -> String {
    let name: String = match kind.dataset.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", &kind.dataset[..end]),
        None => kind.dataset.clone(),
    };
    format!("  {}, {name}", kind.split.name())
}

/// The same as an array of `{name, folder, dataset, encoder, method, seed, status, epochs_done, epochs, started, finished,
/// scores}`, in the same order; a score is `{by, evaluated, score, split, dataset, value, interval, untrained}`.
pub fn json(runs: &[RunSummary]) -> Value {
    let score = |headline: &Headline| {
        let Kind { name, is_evaluation, metric, split, dataset, .. } = &headline.kind;
        json!({
            "by": name,
            "evaluated": is_evaluation,
            "score": metric.name,
            "split": split.name(),
            "dataset": dataset,
            "value": headline.value,
            "interval": headline.interval,
            "untrained": headline.untrained,
        })
    };
    let run = |run: &RunSummary| {
        let record = &run.record;
        json!({
            "name": run.name,
            "folder": run.folder,
            "dataset": record.dataset,
            "encoder": record.encoder,
            "method": record.method,
            "seed": record.seed,
            "status": record.status,
            "epochs_done": record.epochs_done,
            "epochs": record.epochs,
            "started": record.started,
            "finished": record.finished,
            "scores": run.headlines.iter().map(score).collect::<Vec<_>>(),
        })
    };
    runs.iter().map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn a_table_fits_a_terminal_and_says_what_it_is_sorted_by() {
        let metrics = [("knn/val/accuracy", 0.75), ("untrained/knn/val/accuracy", 0.25), ("linear/val/auroc", 0.5)];
        let mut runs = [run(&"a/very/long/name/of-a-run-".repeat(4), &metrics), run("b", &[])];
        let mut record = runs[0].record.clone();
        record.dataset = "a data set of a very long name".repeat(3);
        runs[0].headlines.iter_mut().for_each(|headline| headline.kind.dataset = record.dataset.clone());
        runs[0].record = record;
        let text = table(&runs, Some(&runs[0].headlines[0].kind));
        let table: Vec<_> = text.lines().take_while(|line| !line.starts_with("Sorted")).collect();
        assert!(table.iter().all(|line| line.chars().count() <= 80), "{text}");
        for part in ["20 of 20 epochs", "75.0 %", "untrained 25.0 %", "linear (fixed L2) AUROC", "a data set of …"] {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
        let shown = &json(&runs)[0]["scores"][0];
        assert_eq!((&shown["by"], &shown["value"], &shown["interval"]), (&"knn".into(), &0.75.into(), &Value::Null));
    }
}
