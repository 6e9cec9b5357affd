//! What a folder holds and what the run would be, in words.

use super::ask::Asked;
use super::look::Look;
use crate::config::Config;
use crate::data::dataset_stats::DatasetStats;
use crate::output::bars::readable;
use crate::train::rehearsal::{Estimate, Rehearsal};
use indicatif::HumanCount;
use selfsame_plugin_api::Split;
use std::fmt::Write;
use std::time::Duration;

/// Names and classes that a line lists.
const FEW: usize = 6;
/// Characters of a line's name.
const NAME: usize = 12;

/// A line for each thing that is worth knowing.
pub fn text(asked: &Asked, look: &Look, config: &Config, measured: &Rehearsal, estimate: Estimate) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "  {name:<NAME$}{what}");
    };
    let count = |number: usize| HumanCount(number as u64).to_string();
    let others: String = asked
        .others
        .iter()
        .map(|(name, images)| format!("; {} that {name} would read are left out", count(*images)))
        .collect();
    line("images", format!("{}, read by {}{others}", count(look.images()), asked.name));
    for option in &asked.survey.options {
        let value = option.value.as_str().map_or_else(|| option.value.to_string(), str::to_owned);
        line("", format!("{}: {value}", option.name));
    }
    let order = [Split::Train, Split::Val, Split::Test];
    let splits = order.into_iter().filter_map(|split| Some((split.name(), look.split(split)?.samples)));
    let splits = splits.map(|(split, samples)| format!("{split} {}", count(samples)));
    line("splits", splits.collect::<Vec<_>>().join(", "));
    line("labels", labels(look));
    if let Some(groups) = groups(look) {
        line("patients", groups);
    }
    line("pixels", pixels(look));
    let values = look.splits.values().find_map(|stats| stats.range);
    if let Some((low, high)) = values {
        let depth = look.card.bit_depth;
        line("values", format!("{} channel(s) of {depth} bits, from {low} to {high}", look.card.channels));
    }
    for (name, values) in facts(look) {
        line(&name, values);
    }
    line("duplicates", duplicates(look));
    for leak in look.leaks.iter().take(FEW) {
        let places: Vec<_> = leak.iter().map(|(split, names)| format!("{split}: {}", names.join(", "))).collect();
        line("leak", format!("the same pixels in several splits: {}", places.join("; ")));
    }
    let damaged: Vec<_> = look.damaged().collect();
    line("unreadable", format!("{} of {} looked at", damaged.len(), count(look.looked_at())));
    for (split, sample) in damaged.iter().take(FEW) {
        line("", format!("{split}: {}", sample.describe()));
    }
    for note in &asked.survey.notes {
        line("note", note.clone());
    }
    let train = &config.train;
    line(
        "run",
        format!(
            "{} with {}, {} × {} pixels, batch {}, {} epochs of {} steps: about {} on {}",
            train.self_supervision.method,
            train.self_supervision.encoder_name,
            measured.input[1],
            measured.input[2],
            train.batch_size,
            config.scheduler.epochs,
            measured.plan.steps_per_epoch,
            readable(Duration::from_secs_f64(estimate.total().ceil())),
            super::device_of(measured),
        ),
    );
    text
}

fn labels(look: &Look) -> String {
    if !look.has_labels() {
        return "none".into();
    }
    let all = look.images().max(1);
    let classes = &look.card.classes;
    let of =
        |class: usize| look.splits.values().filter_map(|stats| stats.labels.get(class)).map(|(_, count)| count).sum();
    let shown = classes.iter().enumerate().take(FEW).map(|(class, name)| {
        let count: usize = of(class);
        format!("{name} {} ({:.0} %)", HumanCount(count as u64), 100.0 * count as f64 / all as f64)
    });
    let more = match classes.len().saturating_sub(FEW) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.collect::<Vec<_>>().join(", ") + &more
}

fn groups(look: &Look) -> Option<String> {
    let of = |stats: &DatasetStats| stats.groups.as_ref().map(|groups| (groups.count, groups.largest));
    let all: Vec<(usize, usize)> = look.splits.values().filter_map(of).collect();
    let (count, largest) = (all.iter().map(|own| own.0).sum::<usize>(), all.iter().map(|own| own.1).max()?);
    Some(format!("{}, the largest with {largest} images; no patient stands in two splits", HumanCount(count as u64)))
}

fn pixels(look: &Look) -> String {
    let Some(sizes) = look.sizes() else { return "no image can be read".into() };
    let sides = |(low, median, high): (usize, usize, usize)| {
        if low == high { low.to_string() } else { format!("{low} to {high}, median {median}") }
    };
    format!("height {}, width {}", sides(sizes.height), sides(sizes.width))
}

/// What the data set tells of samples: a line for each fact that differs, and one for all that do not.
fn facts(look: &Look) -> Vec<(String, String)> {
    let Some(stats) = look.splits.get("train") else { return Vec::new() };
    let (same, different): (Vec<_>, Vec<_>) = stats.facts.iter().partition(|(_, values)| values.len() == 1);
    let mut lines = Vec::new();
    for (name, values) in different.into_iter().filter(|(name, _)| name.chars().count() < NAME) {
        let mut values: Vec<_> = values.iter().collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let shown = values.iter().take(FEW).map(|(value, count)| format!("{value} ({count})"));
        let more = match values.len().saturating_sub(FEW) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        lines.push((name.clone(), shown.collect::<Vec<_>>().join(", ") + &more));
    }
    let same: Vec<_> =
        same.into_iter().filter_map(|(name, values)| Some(format!("{name} {}", values.keys().next()?))).collect();
    if !same.is_empty() {
        lines.push(("all have".to_owned(), same.join(", ")));
    }
    lines
}

fn duplicates(look: &Look) -> String {
    let all: Vec<&Vec<String>> = look.splits.values().flat_map(|stats| &stats.duplicates).collect();
    let across: usize = look.splits.values().map(|stats| stats.duplicates_across_groups).sum();
    let looked_at = HumanCount(look.looked_at() as u64);
    let Some(first) = all.first() else { return format!("none among {looked_at} looked at") };
    let names: Vec<&str> = first.iter().take(3).map(String::as_str).collect();
    let across = if across > 0 { format!(", {across} of them in several patients") } else { String::new() };
    format!(
        "{} images of {looked_at} looked at are there more than once{across}, such as {}",
        all.len(),
        names.join(", ")
    )
}
