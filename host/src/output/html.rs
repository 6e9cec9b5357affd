//! The page of a run: static, one file, no scripts.

use super::curves::{COLORS, Series, svg};
use super::facts::{evaluation_warnings, facts};
use super::scores::{ScoreRows, Scores, score_rows};
use super::terminal;
use crate::evaluate::{self, Evaluation};
use crate::metric::{self, Better, Metric, Probe};
use crate::run::metrics::Record;
use crate::run::record::RunRecord;
use selfsame_plugin_api::Split;

/// Splits of the probes' curves.
const CURVES: [(Probe, Split); 3] =
    [(Probe::Knn, Split::Val), (Probe::Online, Split::Val), (Probe::Online, Split::Train)];

/// The charts: what each is of, and the names of its metrics.
fn charts() -> [(&'static Metric, Vec<String>); 7] {
    let scores = |score| CURVES.iter().map(|(probe, split)| probe.metric(*split, score)).collect();
    let names = |metrics: &[&Metric]| metrics.iter().map(|metric| metric.name.to_owned()).collect();
    [
        (&metric::TRAIN_LOSS, names(&[&metric::TRAIN_LOSS, &metric::VAL_LOSS])),
        (&metric::ACCURACY, scores(&metric::ACCURACY)),
        (&metric::AUROC, scores(&metric::AUROC)),
        (&metric::LEARNING_RATE, names(&[&metric::LEARNING_RATE])),
        (&metric::IMAGES_PER_S, names(&[&metric::IMAGES_PER_S])),
        (&metric::FEATURE_STD, names(&[&metric::FEATURE_STD, &metric::BATCH_FEATURE_STD])),
        (&metric::EFFECTIVE_RANK, names(&[&metric::EFFECTIVE_RANK, &metric::BATCH_EFFECTIVE_RANK])),
    ]
}

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 1120px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; white-space: nowrap; }
td, th { padding: .25rem 1.5rem .25rem 0; vertical-align: top; } td { overflow-wrap: anywhere; }
.scores td, .scores th { border-bottom: 1px solid #d8dee6; } .scores td + td, .scores th + th { text-align: right; padding: .25rem 0 .25rem 1.5rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 1.5rem; }
figure { margin: 0; border: 1px solid #d8dee6; border-radius: 6px; padding: .75rem; }
figcaption { font-weight: 600; } .key { white-space: nowrap; font-weight: 400; font-size: .85rem; margin-left: .75rem; }
.key i { display: inline-block; width: .9em; height: .2em; margin-right: .35em; vertical-align: middle; }
svg { display: block; width: 100%; height: auto; } .axis { text-align: center; font-size: .8rem; color: #5b6875; }
pre { background: #f4f6f8; border-radius: 6px; padding: 1rem; overflow-x: auto; font-size: .85rem; }
";

/// The page's HTML.
pub(super) fn page(
    record: &RunRecord,
    config: &str,
    metrics: &[Record],
    evaluations: &[(String, Evaluation)],
) -> String {
    let title = escape(&format!("{} on {}", record.encoder, record.dataset));
    let mut facts_rows = String::new();
    for (name, value) in facts(record) {
        facts_rows.push_str(&format!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(&value)));
    }
    let mut charts = String::new();
    for (shown, names) in self::charts() {
        charts.push_str(&chart(shown, &names, metrics));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         {scores}{warnings}{evaluations}<h2>Run</h2>\n<table>\n{facts_rows}</table>\n\
         <h2>Curves</h2>\n<div class=\"charts\">\n{charts}</div>\n\
         <h2>Configuration</h2>\n<pre>{config}</pre>\n</body>\n</html>\n",
        scores = scores(record),
        warnings = list("Warnings", record.warnings.iter()),
        evaluations = evaluated(evaluations),
        config = escape(config),
    )
}

fn scores(record: &RunRecord) -> String {
    let (untrained, trained) = (Scores::of(record, true), Scores::of(record, false));
    if (untrained, trained) == Default::default() {
        return String::new();
    }
    let ScoreRows { titles, rows, better } = score_rows(&untrained, &trained);
    table("Scores", &titles, &rows, &better)
}

fn evaluated(evaluations: &[(String, Evaluation)]) -> String {
    if evaluations.is_empty() {
        return String::new();
    }
    let (titles, rows) = evaluate::rows(evaluations);
    let warnings = evaluation_warnings(evaluations);
    table("Evaluations", &titles, &rows, &[]) + &list("Warnings about evaluations", warnings.iter())
}

fn list<'a>(title: &str, texts: impl Iterator<Item = &'a String>) -> String {
    let items: String = texts.map(|text| format!("<li>{}</li>\n", escape(text))).collect();
    if items.is_empty() { items } else { format!("<h2>{title}</h2>\n<ul>\n{items}</ul>\n") }
}

/// A table of numbers; the first column names the rows, and cells (row and column) that are better than others stand out.
fn table(title: &str, titles: &[impl AsRef<str>], rows: &[Vec<String>], better: &[(usize, usize)]) -> String {
    let text = |cell: &str| escape(cell).replace('\n', "<br>");
    let head: String = titles.iter().map(|title| format!("<th>{}</th>", text(title.as_ref()))).collect();
    let cell = |at: (usize, usize), cell: &str| match better.contains(&at) {
        true => format!("<td><b>{}</b></td>", text(cell)),
        false => format!("<td>{}</td>", text(cell)),
    };
    let line = |(row, cells): (usize, &Vec<String>)| {
        let cells: String = cells.iter().enumerate().map(|(column, text)| cell((row, column), text)).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().enumerate().map(line).collect();
    format!("<h2>{title}</h2>\n<table class=\"scores\">\n<tr>{head}</tr>\n{body}</table>\n")
}

fn chart(shown: &Metric, names: &[String], metrics: &[Record]) -> String {
    let series: Vec<_> = names.iter().map(|name| series(name, metrics)).filter(|s| !s.points.is_empty()).collect();
    let Some(drawing) = svg(&series) else {
        return String::new();
    };
    let mut key = String::new();
    if series.len() > 1 {
        for (Series { name, .. }, (r, g, b)) in series.iter().zip(COLORS) {
            key.push_str(&format!("<span class=\"key\"><i style=\"background:rgb({r},{g},{b})\"></i>{name}</span>"));
        }
    }
    let better = match shown.better {
        Some(Better::Up) => " ↑",
        Some(Better::Down) => " ↓",
        None => "",
    };
    let title = shown.axis;
    format!("<figure><figcaption>{title}{better}{key}</figcaption>\n{drawing}<div class=\"axis\">step</div></figure>\n")
}

fn series(name: &str, metrics: &[Record]) -> Series {
    let points = metrics.iter().filter_map(|record| Some((record.step as f64, *record.metrics.get(name)?))).collect();
    Series { name: name.to_owned(), points }
}

/// Foreign text: nothing in it is a tag, ends a line's direction or is passed over by a browser.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal::shown(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
