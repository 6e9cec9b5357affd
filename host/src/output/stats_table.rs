//! What a data set consists of, as text.

use crate::data::dataset_stats::{DatasetStats, Leak};
use comfy_table::{CellAlignment, Table, presets};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Lines of a list that are shown at most, where the list is not what was asked for.
const FEW: usize = 10;
/// More channels are shown in a table of their own.
const COLOURS: usize = 3;

/// Readable and failing samples of each split, and all that fail.
pub fn failures(dataset: &str, splits: &BTreeMap<String, DatasetStats>) -> String {
    let mut table = table(["split", "samples", "failing"]);
    for (split, stats) in splits {
        table.add_row([split.clone(), stats.samples.to_string(), stats.damaged.len().to_string()]);
    }
    let mut text = format!("data set {dataset}\n{}\n", right_aligned(table));
    for (split, stats) in splits {
        for sample in &stats.damaged {
            let _ = writeln!(text, "{split}: {}", sample.describe());
        }
    }
    text
}

/// Everything about each split.
pub fn statistics(dataset: &str, splits: &BTreeMap<String, DatasetStats>, leaks: &[Leak]) -> String {
    let mut text = format!("data set {dataset}\n{}\n", pixels(splits));
    if splits.values().any(|stats| stats.mean.len() > COLOURS) {
        let _ = writeln!(text, "\nmean ± standard deviation of each channel\n{}", channels(splits));
    }
    if splits.values().any(|stats| !stats.labels.is_empty()) {
        let _ = writeln!(text, "\nlabels\n{}", labels(splits));
    }
    let facts: BTreeSet<&String> = splits.values().flat_map(|stats| stats.facts.keys()).collect();
    for fact in facts {
        let _ = writeln!(text, "\n{fact}\n{}", values(fact, splits));
    }
    for (split, stats) in splits {
        duplicates(&mut text, split, stats);
        few(&mut text, &format!("{split}: samples that cannot be read"), &stats.damaged, |sample| sample.describe());
    }
    few(&mut text, "LEAK: the same pixels in several splits", leaks, describe);
    text
}

/// Images that several data sets have in common.
pub fn shared(leaks: &[Leak]) -> String {
    let mut text = String::new();
    few(&mut text, "SHARED: the same pixels in several data sets", leaks, describe);
    if text.is_empty() { "no pixels are in several data sets".into() } else { text }
}

fn describe(leak: &Leak) -> String {
    let parts: Vec<_> = leak.iter().map(|(place, names)| format!("{place}: {}", names.join(", "))).collect();
    parts.join("; ")
}

fn pixels(splits: &BTreeMap<String, DatasetStats>) -> Table {
    let header =
        ["split", "samples", "failing", "groups", "height", "width", "most common", "bits", "values", "mean", "std"];
    let mut table = table(header);
    let numbers = |values: &[f64]| match values.len() > COLOURS {
        true => format!("{} channels", values.len()),
        false => values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(" "),
    };
    let sides = |(low, median, high): (usize, usize, usize)| {
        if low == high { low.to_string() } else { format!("{low} / {median} / {high}") }
    };
    for (split, stats) in splits {
        let sizes = stats.sizes.as_ref();
        let common =
            sizes.map(|sizes| format!("{} ({})", sizes.most_common, share(sizes.most_common_count, stats.samples)));
        let groups = stats.groups.as_ref().map(|groups| format!("{} (largest {})", groups.count, groups.largest));
        table.add_row([
            split.clone(),
            stats.samples.to_string(),
            stats.damaged.len().to_string(),
            groups.unwrap_or_default(),
            sizes.map(|sizes| sides(sizes.height)).unwrap_or_default(),
            sizes.map(|sizes| sides(sizes.width)).unwrap_or_default(),
            common.unwrap_or_default(),
            stats.bit_depth.to_string(),
            stats.range.map(|(low, high)| format!("{low}–{high}")).unwrap_or_default(),
            numbers(&stats.mean),
            numbers(&stats.std),
        ]);
    }
    right_aligned(table)
}

/// A line a channel, where there are more than a line of the table has room for.
fn channels(splits: &BTreeMap<String, DatasetStats>) -> Table {
    let mut table = table(std::iter::once("channel").chain(splits.keys().map(String::as_str)));
    let count = splits.values().map(|stats| stats.mean.len()).max().unwrap_or(0);
    for channel in 0..count {
        let of = |stats: &DatasetStats| match (stats.mean.get(channel), stats.std.get(channel)) {
            (Some(mean), Some(std)) => format!("{mean:.4} ± {std:.4}"),
            _ => String::new(),
        };
        table.add_row(std::iter::once((channel + 1).to_string()).chain(splits.values().map(of)));
    }
    right_aligned(table)
}

fn labels(splits: &BTreeMap<String, DatasetStats>) -> Table {
    let mut table = table(std::iter::once("class").chain(splits.keys().map(String::as_str)));
    let classes = splits.values().map(|stats| stats.labels.len()).max().unwrap_or(0);
    for class in 0..classes {
        let name = splits.values().find_map(|stats| stats.labels.get(class)).map(|(name, _)| name.clone());
        let counts = splits.values().map(|stats| match stats.labels.get(class) {
            Some((_, count)) => format!("{count} ({})", share(*count, stats.samples)),
            None => String::new(),
        });
        table.add_row(name.into_iter().chain(counts));
    }
    right_aligned(table)
}

fn values(fact: &str, splits: &BTreeMap<String, DatasetStats>) -> Table {
    let mut table = table(std::iter::once("value").chain(splits.keys().map(String::as_str)));
    let mut totals: BTreeMap<&String, usize> = BTreeMap::new();
    for (value, count) in splits.values().filter_map(|stats| stats.facts.get(fact)).flatten() {
        *totals.entry(value).or_default() += count;
    }
    let mut common: Vec<_> = totals.into_iter().collect();
    common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (value, _) in common.iter().take(FEW) {
        let count =
            |stats: &DatasetStats| stats.facts.get(fact).and_then(|values| values.get(*value)).copied().unwrap_or(0);
        table.add_row(std::iter::once((*value).clone()).chain(splits.values().map(|stats| count(stats).to_string())));
    }
    if common.len() > FEW {
        table.add_row([format!("and {} more", common.len() - FEW)]);
    }
    right_aligned(table)
}

fn duplicates(text: &mut String, split: &str, stats: &DatasetStats) {
    let mut title = format!("{split}: images that are there more than once");
    if stats.duplicates_across_groups > 0 {
        let _ = write!(
            title,
            " ({} in different groups, which a cut may put on both sides)",
            stats.duplicates_across_groups
        );
    }
    few(text, &title, &stats.duplicates, |names| names.join(", "));
}

/// The first lines of a list under its title; nothing for an empty one.
fn few<T>(text: &mut String, title: &str, list: &[T], line: impl Fn(&T) -> String) {
    if list.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}: {}", list.len());
    for item in list.iter().take(FEW) {
        let _ = writeln!(text, "  {}", line(item));
    }
    if list.len() > FEW {
        let _ = writeln!(text, "  and {} more (--json lists all)", list.len() - FEW);
    }
}

fn share(count: usize, of: usize) -> String {
    format!("{:.1} %", 100.0 * count as f64 / of.max(1) as f64)
}

fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED.with_rounded_corners());
    table.set_header(header);
    table
}

fn right_aligned(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
