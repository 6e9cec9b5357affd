//! Results as tables for people.

use super::evaluation::{ClassResult, Evaluation, MetricSummary};
use crate::metric::{ACCURACY, AUROC, LABEL_ACCURACY, Metric};
use crate::probe::SCORES;
use comfy_table::{CellAlignment, Table, presets};

/// Columns of a terminal.
const TERMINAL: usize = 80;

/// From this many classes on, class tables are left to the file.
const MANY_CLASSES: usize = 21;

/// Titles of the scores that any of the results has, and a row of cells for each: its name, step, images and seeds, its
/// scores as mean, standard deviation over seeds, 95 % interval, and, where any result has them, its own settings.
pub fn rows(results: &[(String, Evaluation)]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    // Of single labels where there are several: no choice of one class. Both have one name.
    let multilabel = results.iter().all(|(_, result)| result.confusion.is_empty());
    let other = if multilabel { &ACCURACY } else { &LABEL_ACCURACY };
    let has = |score: &&Metric| results.iter().any(|(_, result)| result.metrics.contains_key(score.name));
    let shown: Vec<_> = SCORES.iter().map(|score| score.metric).filter(|score| *score != other).filter(has).collect();
    let settings = results.iter().any(|(_, result)| !result.settings.is_empty());
    let row = |(name, result): &(String, Evaluation)| {
        let cells = shown.iter().map(|score| result.metrics.get(score.name).map_or("–".into(), measure));
        let step = result.weights.step.map_or("–".into(), |step| step.to_string());
        let facts = [name.clone(), step, result.samples.to_string(), result.seeds.len().to_string()];
        facts.into_iter().chain(cells).chain(settings.then(|| result.settings.join("\n"))).collect()
    };
    let facts = ["result", "step", "images", "seeds"].into_iter();
    let titles = facts.chain(shown.iter().map(|score| score.title)).chain(settings.then_some("settings")).collect();
    (titles, results.iter().map(row).collect())
}

/// [`rows`] as tables that fit a terminal: a result a column, as many beside each other as there is room for.
pub fn summary(results: &[(String, Evaluation)]) -> String {
    let (titles, rows) = rows(results);
    let width = |cells: &mut dyn Iterator<Item = &str>| {
        cells.flat_map(str::lines).map(|line| line.chars().count()).max().unwrap_or(0) + 3
    };
    let first = width(&mut titles.iter().copied());
    let mut tables: Vec<Vec<&Vec<String>>> = Vec::new();
    let mut room = 0;
    for row in &rows {
        let needed = width(&mut row.iter().map(String::as_str));
        match tables.last_mut().filter(|_| needed <= room) {
            Some(table) => table.push(row),
            None => {
                tables.push(vec![row]);
                room = TERMINAL.saturating_sub(first + 1);
            }
        }
        room = room.saturating_sub(needed);
    }
    let drawn = tables.iter().map(|columns| {
        let mut table = new_table();
        let line =
            |at: usize| [titles[at].to_owned()].into_iter().chain(columns.iter().map(move |column| column[at].clone()));
        table.set_header(line(0));
        (1..titles.len()).for_each(|at| {
            table.add_row(line(at));
        });
        align_right(&mut table);
        table.to_string()
    });
    drawn.collect::<Vec<_>>().join("\n")
}

/// Titles and rows of each class against the others.
pub fn class_rows(result: &Evaluation) -> ([&'static str; 6], Vec<[String; 6]>) {
    let row = |class: &ClassResult| {
        let of_samples = |score| if class.support == 0 { "–".into() } else { percent(score) };
        [
            class.name.clone(),
            class.support.to_string(),
            of_samples(class.precision),
            of_samples(class.recall),
            of_samples(class.f1),
            class.auroc.map_or("–".into(), percent),
        ]
    };
    let titles = ["class", "support", "precision", "recall", "F1", AUROC.title];
    (titles, result.classes.iter().map(row).collect())
}

/// The tables of one result: each class against the others, and true against predicted classes.
pub fn tables(result: &Evaluation) -> String {
    if result.classes.len() >= MANY_CLASSES {
        return format!("scores of the {} classes are in the file", result.classes.len());
    }
    let mut table = new_table();
    let (titles, rows) = class_rows(result);
    table.set_header(titles);
    table.add_rows(rows);
    align_right(&mut table);
    if result.confusion.is_empty() {
        return table.to_string();
    }
    let mut confusion = new_table();
    let names = result.classes.iter().map(|class| class.name.clone());
    confusion.set_header(["true \\ predicted".to_owned()].into_iter().chain(names));
    for (class, row) in result.classes.iter().zip(&result.confusion) {
        confusion.add_row([class.name.clone()].into_iter().chain(row.iter().map(u64::to_string)));
    }
    align_right(&mut confusion);
    format!("{table}\n{confusion}")
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED.with_rounded_corners());
    table
}

fn align_right(table: &mut Table) {
    table.column_iter_mut().skip(1).for_each(|column| {
        column.set_cell_alignment(CellAlignment::Right);
    });
}

fn measure(measure: &MetricSummary) -> String {
    let mut text = percent(measure.mean);
    if let Some(std) = measure.std {
        text.push_str(&format!(" ± {:.1}", 100.0 * std));
    }
    if let Some([low, high]) = measure.interval {
        text.push_str(&format!("\n[{:.1}, {:.1}]", 100.0 * low, 100.0 * high));
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
