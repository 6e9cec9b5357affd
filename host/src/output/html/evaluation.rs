//! One evaluation on the page: curves of a binary task, each class, and what was taken for what.

use super::super::curves::{Series, unit_square};
use super::{escape, table};
use crate::evaluate::{self, ClassResult, Evaluation, ThresholdCurves};

/// From this many classes on, tables would be too large to read.
const MANY_CLASSES: usize = 31;

/// A part that is unfolded by its title; nothing for results that have nothing more to tell.
pub(super) fn details(name: &str, result: &Evaluation, open: bool) -> String {
    let few = result.classes.len() < MANY_CLASSES;
    let parts = [
        result.curves.as_ref().map(curves).unwrap_or_default(),
        if few { classes(result) } else { String::new() },
        if few { confusion(result) } else { String::new() },
    ];
    if parts.iter().all(String::is_empty) {
        return String::new();
    }
    let open = if open { " open" } else { "" };
    format!("<details{open}><summary>{}</summary>\n{}</details>\n", escape(name), parts.concat())
}

fn curves(curves: &ThresholdCurves) -> String {
    let pair = |points: &[[f64; 2]]| points.iter().map(|[x, y]| (*x, *y)).collect::<Vec<_>>();
    let chance = Series { name: "chance".into(), points: vec![(0.0, 0.0), (1.0, 1.0)] };
    let roc = Series { name: "ROC".into(), points: pair(&curves.roc) };
    let recall = Series { name: "precision–recall".into(), points: pair(&curves.precision_recall) };
    let figure = |title: &str, series: &[Series], x: &str| {
        let drawing = unit_square(series)?;
        Some(format!("<figure><figcaption>{title}</figcaption>\n{drawing}<div class=\"axis\">{x}</div></figure>\n"))
    };
    let figures = [
        figure("Sensitivity (ROC curve)", &[roc, chance], "1 − specificity"),
        figure("Precision", &[recall], "recall"),
    ];
    format!("<div class=\"charts\">\n{}</div>\n", figures.into_iter().flatten().collect::<String>())
}

fn classes(result: &Evaluation) -> String {
    let (titles, rows) = evaluate::class_rows(result);
    table(None, &titles, &rows.into_iter().map(Vec::from).collect::<Vec<_>>(), &[])
}

/// Counts, the darker the larger the share of the true class.
fn confusion(result: &Evaluation) -> String {
    if result.confusion.is_empty() {
        return String::new();
    }
    let head: String = result.classes.iter().map(|class| format!("<th>{}</th>", escape(&class.name))).collect();
    let row = |(class, row): (&ClassResult, &Vec<u64>)| {
        let total = row.iter().sum::<u64>().max(1) as f64;
        let cell = |count: &u64| {
            let share = *count as f64 / total;
            format!("<td style=\"background:rgba(var(--mark),{:.2})\">{count}</td>", 0.75 * share)
        };
        format!("<tr><th>{}</th>{}</tr>\n", escape(&class.name), row.iter().map(cell).collect::<String>())
    };
    let body: String = result.classes.iter().zip(&result.confusion).map(row).collect();
    format!(
        "<h3>True class (row) and predicted class (column)</h3>\n<div class=\"wide\"><table class=\"confusion\">\n\
         <tr><th></th>{head}</tr>\n{body}</table></div>\n"
    )
}
