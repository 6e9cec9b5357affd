//! The page of several runs: their scores, what differs in their configurations, and their curves together.

use super::super::curves::{COLORS, Series, svg};
use super::super::runs::comparison::Comparison;
use super::super::runs::{Kind, RunSummary};
use super::{color, escape, figure, head, table};
use crate::metric::{self, Metric, Probe};
use crate::run::metrics::Record;
use selfsame_plugin_api::Split;

/// The page's HTML.
pub(in crate::output) fn comparison(compared: &Comparison) -> String {
    let title = format!("{} runs side by side", compared.runs.len());
    let names: Vec<&str> = compared.runs.iter().map(|run| run.name.as_str()).collect();
    let list: String = compared.runs.iter().map(described).collect();
    format!(
        "{head}<ul>\n{list}</ul>\n{scores}{differences}{curves}</body>\n</html>\n",
        head = head(&title),
        scores = scores(compared),
        differences = differences(compared, &names),
        curves = curves(compared, &names),
    )
}

fn described(run: &RunSummary) -> String {
    let record = &run.record;
    let what = format!(
        "{} on {} by {}: {} of {} epochs",
        record.encoder, record.dataset, record.method, record.epochs_done, record.epochs
    );
    format!("<li><b>{}</b>: {}</li>\n", escape(&run.name), escape(&what))
}

/// A run a row, a kind of score a column; the best value of each stands out.
fn scores(compared: &Comparison) -> String {
    let Comparison { runs, kinds, sorted_by: Some(sorted_by), .. } = compared else {
        return "<p class=\"soft\">Nothing was scored.</p>\n".into();
    };
    let title = |kind: &Kind| format!("{}\n{} of {}", kind.title(), kind.split.name(), kind.dataset);
    let titles: Vec<String> = ["run".to_owned()].into_iter().chain(kinds.iter().map(title)).collect();
    let value = |run: &RunSummary, kind| run.score(kind).map(|one| one.value);
    let mut better = Vec::new();
    for (column, kind) in kinds.iter().enumerate() {
        let values = || runs.iter().enumerate().filter_map(|(row, run)| Some((row, value(run, kind)?)));
        if let Some((_, best)) = values().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|_| values().count() > 1) {
            better.extend(values().filter(|(_, value)| *value == best).map(|(row, _)| (row, column + 1)));
        }
    }
    let row = |run: &RunSummary| {
        let cells = kinds.iter().map(|kind| match run.score(kind) {
            Some(one) => format!("{}\n{}", one.text(), one.before()).trim_end().to_owned(),
            None => "–".to_owned(),
        });
        [run.name.clone()].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    let below = format!(
        "<p class=\"soft\">Sorted by {}. In brackets, 95 % intervals over the scored images; they do not cover the seed of the \
         training.</p>\n",
        escape(&sorted_by.to_string())
    );
    table(Some("Scores"), &titles, &rows, &better) + &below
}

fn differences(compared: &Comparison, names: &[&str]) -> String {
    if compared.differences.is_empty() {
        return "<h2>What differs</h2>\n<p>Nothing in their configurations.</p>\n".into();
    }
    let titles: Vec<&str> = [""].into_iter().chain(names.iter().copied()).collect();
    let row =
        |(name, values): &(String, Vec<String>)| [name.clone()].into_iter().chain(values.iter().cloned()).collect();
    table(Some("What differs"), &titles, &compared.differences.iter().map(row).collect::<Vec<_>>(), &[])
}

/// The charts: what each is of, and the name of its metric.
fn charts() -> Vec<(&'static Metric, String)> {
    let score = |probe: Probe, metric: &'static Metric| (metric, probe.metric(Split::Val, metric));
    let named = |metric: &'static Metric| (metric, metric.name.to_owned());
    vec![
        named(&metric::TRAIN_LOSS),
        named(&metric::VAL_LOSS),
        score(Probe::Knn, &metric::ACCURACY),
        score(Probe::Knn, &metric::AUROC),
        score(Probe::Online, &metric::ACCURACY),
        score(Probe::Online, &metric::AUROC),
        named(&metric::FEATURE_STD),
        named(&metric::EFFECTIVE_RANK),
        named(&metric::LEARNING_RATE),
        named(&metric::IMAGES_PER_S),
    ]
}

fn curves(compared: &Comparison, names: &[&str]) -> String {
    let shown = names.len().min(COLORS.len());
    let key = |(at, name): (usize, &&str)| format!("<span class=\"key\">{}{}</span> ", color(at), escape(name));
    let legend: String = names.iter().take(shown).enumerate().map(key).collect();
    let note = match names.len() > shown {
        true => format!("<p class=\"soft\">The first {shown} runs of the table.</p>\n"),
        false => String::new(),
    };
    let mut figures = String::new();
    for (metric, name) in charts() {
        let series: Vec<_> = compared.logs.iter().take(shown).map(|log| by_epoch(&name, log)).collect();
        if let Some(drawing) = svg(&series) {
            let of = match name.split_once('/') {
                Some(("knn", _)) => format!("{}: kNN, val", metric.axis),
                Some(("online", _)) => format!("{}: online head, val", metric.axis),
                Some((_, "val/loss")) => format!("{}: validation", metric.axis),
                _ => metric.axis.to_owned(),
            };
            figures.push_str(&figure(&of, metric.better, "", &drawing, "epoch"));
        }
    }
    if figures.is_empty() {
        return String::new();
    }
    format!("<h2>Curves</h2>\n<p>{legend}</p>\n{note}<div class=\"charts\">\n{figures}</div>\n")
}

/// A metric over epochs, which runs of different batches have in common; empty before the first epoch is over.
fn by_epoch(name: &str, log: &[Record]) -> Series {
    let last = log.iter().rev().find(|record| record.epoch > 0 && record.event != "step");
    let epochs_a_step = last.map_or(f64::NAN, |record| record.epoch as f64 / record.step as f64);
    let point = |record: &Record| Some((record.step as f64 * epochs_a_step, *record.metrics.get(name)?));
    let points = log.iter().filter_map(point).filter(|(epoch, _)| epoch.is_finite()).collect();
    Series { name: name.to_owned(), points }
}

#[cfg(test)]
mod tests {
    use super::super::super::runs::sort;
    use super::super::super::runs::tests::run;
    use super::*;
    use std::collections::BTreeMap;

    fn log(steps: u64, value: f64) -> Vec<Record> {
        let metrics = BTreeMap::from([("ssl/train/loss".to_owned(), value), ("knn/val/accuracy".to_owned(), value)]);
        let record = |event: &str, step, epoch| Record {
            event: event.into(),
            step,
            epoch,
            time: "2026-01-02T03:04:05Z".parse().unwrap(),
            metrics: metrics.clone(),
        };
        vec![record("step", steps / 2, 0), record("epoch", steps, 1), record("epoch", 2 * steps, 2)]
    }

    #[test]
    fn curves_of_different_batches_share_their_epochs() {
        for steps in [10, 1000] {
            let points = by_epoch("ssl/train/loss", &log(steps, 1.0)).points;
            assert_eq!(points, [(0.5, 1.0), (1.0, 1.0), (2.0, 1.0)]);
        }
        assert!(by_epoch("ssl/train/loss", &log(10, 1.0)[..1]).points.is_empty(), "no epoch is over");
    }

    #[test]
    fn the_page_has_scores_differences_and_curves_and_no_markup_of_others() {
        let mut runs = vec![
            run("worse", &[("knn/val/accuracy", 0.5)]),
            run("<script>alert(1)</script>", &[("knn/val/accuracy", 0.75), ("untrained/knn/val/accuracy", 0.25)]),
        ];
        let sorted_by = sort(&mut runs);
        let kinds = sorted_by.iter().cloned().collect();
        let differences = vec![("train.seed".to_owned(), vec!["1".to_owned(), "<b>2</b>".to_owned()])];
        let logs = vec![log(10, 0.5), log(20, 0.75)];
        let page = comparison(&Comparison { runs, sorted_by, kinds, differences, logs });
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="), "{page}");
        let (best, other) =
            (page.find("<td><b>75.0 %<br>untrained 25.0 %</b>").unwrap(), page.find("<td>50.0 %").unwrap());
        assert!(best < other, "{page}");
        for part in ["&lt;script&gt;alert(1)", "train.seed", "&lt;b&gt;2", "Sorted by kNN top-1, val split of CIFAR10"]
        {
            assert!(page.contains(part), "`{part}` is not in:\n{page}");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        assert!(page.contains("#0072B2") && page.contains("#D55E00"), "a colour for each run");
    }
}
