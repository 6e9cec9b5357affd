//! The page of a run: static, one file, no scripts. It says first what came of the run, then how; what few look for is
//! folded.

mod comparison;
mod evaluation;
mod gallery;
mod verdict;
mod views;

pub(super) use comparison::comparison;

use super::curves::{COLORS, Series, svg};
use super::facts::{evaluation_warnings, facts};
use super::gallery::Drawn;
use super::scores::{ScoreRows, Scores, score_rows};
use super::terminal;
use super::views::ShownSheet;
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

const STYLE: &str = include_str!("style.css");

/// The page's HTML.
pub(super) fn page(
    record: &RunRecord,
    config: &str,
    metrics: &[Record],
    evaluations: &[(String, Evaluation)],
    drawn: Option<&Drawn>,
    sheet: Option<&ShownSheet>,
) -> String {
    let mut facts_rows = String::new();
    for (name, value) in facts(record) {
        facts_rows.push_str(&format!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(&value)));
    }
    let mut charts = String::new();
    for (shown, names) in self::charts() {
        charts.push_str(&chart(shown, &names, metrics));
    }
    format!(
        "{head}{verdict}{warnings}{scores}{evaluations}{gallery}{views}\
         <h2>Curves</h2>\n<p class=\"soft\">Of long curves the faint line is what was measured, the strong one its moving average.</p>\n<div class=\"charts\">\n{charts}</div>\n\
         <h2>Run</h2>\n<table class=\"facts\">\n{facts_rows}</table>\n\
         <details><summary>Configuration</summary>\n<pre>{config}</pre></details>\n</body>\n</html>\n",
        head = head(&format!("{} on {}", record.encoder, record.dataset)),
        verdict = verdict::verdict(record, evaluations),
        scores = scores(record),
        warnings = warnings(record, evaluations),
        evaluations = evaluated(evaluations),
        gallery = drawn.map(gallery::gallery).unwrap_or_default(),
        views = sheet.map(views::views).unwrap_or_default(),
        config = escape(config),
    )
}

/// A page up to its title.
fn head(title: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
}

/// What is worth a look before the numbers are believed.
fn warnings(record: &RunRecord, evaluations: &[(String, Evaluation)]) -> String {
    let of_evaluations = evaluation_warnings(evaluations);
    let all = record.warnings.iter().chain(&of_evaluations);
    let items: String = all.map(|text| format!("<li>{}</li>\n", with_code(text))).collect();
    match items.is_empty() {
        true => items,
        false => format!("<div class=\"warnings\"><b>Worth a look</b>\n<ul>\n{items}</ul></div>\n"),
    }
}

fn scores(record: &RunRecord) -> String {
    let (untrained, trained) = (Scores::of(record, true), Scores::of(record, false));
    if (untrained, trained) == Default::default() {
        return String::new();
    }
    let ScoreRows { titles, rows, better } = score_rows(&untrained, &trained);
    table(Some("Scores"), &titles, &rows, &better)
}

/// Escaped, with what stands between backticks as code.
fn with_code(text: &str) -> String {
    let parts: Vec<_> = text.split('`').map(escape).collect();
    // An odd one out is a backtick and no more.
    if parts.len() % 2 == 0 {
        return parts.join("`");
    }
    let part = |(at, part): (usize, &String)| match at % 2 {
        0 => part.clone(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(part).collect()
}

fn evaluated(evaluations: &[(String, Evaluation)]) -> String {
    if evaluations.is_empty() {
        return String::new();
    }
    let (titles, rows) = evaluate::rows(evaluations);
    // A result a column: there are more scores than results.
    let line = |at: usize| rows.iter().map(|row| row[at].clone()).collect::<Vec<_>>();
    let head: Vec<_> = [titles[0].to_owned()].into_iter().chain(line(0)).collect();
    let scores = (1..titles.len()).map(|at| [titles[at].to_owned()].into_iter().chain(line(at)).collect());
    let told = verdict::told(evaluations);
    let details = evaluations
        .iter()
        .map(|(name, result)| evaluation::details(name, result, told.is_some_and(|told| std::ptr::eq(told, result))));
    table(Some("Evaluations"), &head, &scores.collect::<Vec<_>>(), &[]) + &details.collect::<String>()
}

/// A table of numbers; the first column names the rows, and cells (row and column) that are better than others stand out.
fn table(title: Option<&str>, titles: &[impl AsRef<str>], rows: &[Vec<String>], better: &[(usize, usize)]) -> String {
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
    let title = title.map(|title| format!("<h2>{title}</h2>\n")).unwrap_or_default();
    format!("{title}<div class=\"wide\"><table class=\"scores\">\n<tr>{head}</tr>\n{body}</table></div>\n")
}

fn chart(shown: &Metric, names: &[String], metrics: &[Record]) -> String {
    let series: Vec<_> = names.iter().map(|name| series(name, metrics)).filter(|s| !s.points.is_empty()).collect();
    let Some(drawing) = svg(&series) else {
        return String::new();
    };
    let mut key = String::new();
    if series.len() > 1 {
        for (at, Series { name, .. }) in series.iter().enumerate() {
            key.push_str(&format!("<span class=\"key\">{}{}</span>", color(at), legend(name)));
        }
    }
    figure(shown.axis, shown.better, &key, &drawing, "step")
}

/// The colour of a chart's line.
fn color(line: usize) -> String {
    let (r, g, b) = COLORS[line % COLORS.len()];
    format!("<i style=\"background:rgb({r},{g},{b})\"></i>")
}

/// A drawing under its title; `key` says what its lines are.
fn figure(title: &str, better: Option<Better>, key: &str, drawing: &str, axis: &str) -> String {
    let better = match better {
        Some(Better::Up) => " ↑",
        Some(Better::Down) => " ↓",
        None => "",
    };
    format!(
        "<figure><figcaption>{title}{better}{key}</figcaption>\n{drawing}<div class=\"axis\">{axis}</div></figure>\n"
    )
}

/// What a line is of, where the figure's title says of which quantity.
fn legend(name: &str) -> String {
    let parts: Vec<_> = name.split('/').collect();
    match parts.as_slice() {
        ["knn", split, _] => format!("kNN, {split}"),
        ["linear", split, _] => format!("linear probe, {split}"),
        ["online", split, _] => format!("online head, {split}"),
        ["ssl", "train", _] => "training".to_owned(),
        ["ssl", "val", _] => "validation".to_owned(),
        ["features", "train", _] => "training batch".to_owned(),
        ["features", _] => "images that are scored".to_owned(),
        _ => name.to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_a_warning_is_code_on_the_page_and_nothing_else_is_markup() {
        assert_eq!(with_code("set `knn.k=9` or <b>"), "set <code>knn.k=9</code> or &lt;b&gt;");
        assert_eq!(with_code("class `a"), "class `a");
        assert_eq!(with_code("`<script>`"), "<code>&lt;script&gt;</code>");
    }

    #[test]
    fn lines_have_names_that_people_read() {
        for (name, expected) in [
            ("knn/val/accuracy", "kNN, val"),
            ("ssl/train/loss", "training"),
            ("features/train/std", "training batch"),
            ("optim/lr", "optim/lr"),
        ] {
            assert_eq!(legend(name), expected);
        }
    }
}
