//! The scores of a run: the encoder before its first step beside itself after the last.

use crate::metric::{self, Metric, Probe};
use crate::probe::SCORES;
use crate::run::record::{DataSetRecord, RunRecord};
use comfy_table::{CellAlignment, Table, presets};
use selfsame_plugin_api::Split;

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

/// The score that says most where it is there: AUROC, which stands on no threshold, else accuracy.
pub(super) fn main_score(has: impl Fn(&str) -> bool) -> Option<&'static Metric> {
    let ranked = [metric::AUROC.name, metric::ACCURACY.name].into_iter().filter(|name| has(name));
    ranked.into_iter().find_map(|name| SCORES.iter().map(|score| score.metric).find(|metric| metric.name == name))
}

/// The scores before and after training, and what they are of.
pub(super) fn scores(record: &RunRecord) -> String {
    let (untrained, trained) = (Scores::of(record, true), Scores::of(record, false));
    if (untrained, trained) == Default::default() {
        return String::new();
    }
    let table = score_table(&untrained, &trained);
    scored_on(record).map_or_else(|| format!("{table}\n"), |line| format!("{table}\n{line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::record::tests::example_record;

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
    fn the_test_split_is_preferred_to_the_validation_split() {
        let mut record = example_record();
        assert_eq!(Scores::of(&record, false), Scores([Some(0.75), None, None, None]));
        record.metrics.insert("knn/test/accuracy".into(), 0.7);
        assert_eq!(Scores::of(&record, false).0[0], Some(0.7));
        assert_eq!(Scores::of(&record, true), Scores::default());
    }
}
