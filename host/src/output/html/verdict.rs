//! The first lines of the page: what was trained on what, and how good it is beside the untrained encoder.

use super::super::scores::{main_score, scored_on};
use super::escape;
use crate::evaluate::{Evaluation, MetricSummary, Protocol};
use crate::metric::{self, Metric, Probe};
use crate::run::record::{RunRecord, RunStatus};
use selfsame_plugin_api::Split;

/// Paragraphs.
pub(super) fn verdict(record: &RunRecord, evaluations: &[(String, Evaluation)]) -> String {
    let mut lines = vec![format!("<p>{}</p>", escape(&trained(record)))];
    lines.extend(evaluated(evaluations).or_else(|| measured(record)));
    if lines.len() == 1 {
        lines.push(
            "<p class=\"soft\">Nothing was scored: there are no labels, or the first epoch is not over.</p>".into(),
        );
    }
    lines.join("\n") + "\n"
}

fn trained(record: &RunRecord) -> String {
    let images: usize = record.data_sets.iter().map(|data| data.images_per_epoch).sum();
    let [channels, height, width] = record.input_size;
    let end = match record.status {
        RunStatus::Completed => "completed",
        RunStatus::Running => "running, or killed",
        RunStatus::Interrupted => "interrupted",
        RunStatus::Failed => "ended by an error",
    };
    let took = record.finished.map(|finished| format!(" in {}", duration((finished - record.started).get_seconds())));
    format!(
        "{} was trained by {} on {} ({images} images of {channels} × {height} × {width} an epoch): {} of {} epochs{}, {end}.",
        record.encoder,
        record.method,
        record.dataset,
        record.epochs_done,
        record.epochs,
        took.unwrap_or_default()
    )
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// An evaluation without settings of its own.
fn of(evaluations: &[(String, Evaluation)], protocol: Protocol, untrained: bool) -> Option<&Evaluation> {
    let fits = |result: &&Evaluation| {
        result.settings.is_empty() && result.protocol == protocol && (result.weights.file == "untrained") == untrained
    };
    evaluations.iter().map(|(_, result)| result).find(fits)
}

/// The evaluation that the verdict is about.
pub(super) fn told(evaluations: &[(String, Evaluation)]) -> Option<&Evaluation> {
    let kinds = [Protocol::Linear, Protocol::Knn, Protocol::LinearAug, Protocol::Finetune];
    kinds.into_iter().find_map(|protocol| of(evaluations, protocol, false))
}

/// The main score of the best kind of evaluation there is, trained beside untrained.
fn evaluated(evaluations: &[(String, Evaluation)]) -> Option<String> {
    let result = told(evaluations)?;
    let main = main_score(|name| result.metrics.contains_key(name))?;
    let with_interval = |summary: &MetricSummary| {
        let interval = summary.interval.map(|[low, high]| format!(" [{:.1}, {:.1}]", 100.0 * low, 100.0 * high));
        format!("{}{}", main.text(summary.mean), interval.unwrap_or_default())
    };
    let before = of(evaluations, result.protocol, true).filter(|before| before.split == result.split);
    let before = before.and_then(|before| before.metrics.get(main.name)).map(&with_interval);
    let after = with_interval(result.metrics.get(main.name)?);
    Some(format!(
        "<p class=\"gain\">{} of the {} protocol: <b>{}</b>{}.</p>\n<p class=\"soft\">On {} {} images of {}; in brackets, the 95 % \
         interval over these images.</p>",
        escape(main.title),
        result.protocol.name(),
        escape(&after),
        before.map(|before| format!(", untrained {}", escape(&before))).unwrap_or_default(),
        result.samples,
        result.split.name(),
        escape(&result.dataset),
    ))
}

/// What the run has measured itself.
fn measured(record: &RunRecord) -> Option<String> {
    let value = |probe: Probe, score: &Metric, untrained: bool| {
        let name = |split| probe.metric(split, score);
        let name = |split| if untrained { metric::untrained(&name(split)) } else { name(split) };
        [Split::Test, Split::Val].into_iter().find_map(|split| record.metrics.get(&name(split)).copied())
    };
    let probes = [Probe::Knn, Probe::Linear];
    let (probe, main) = probes.into_iter().find_map(|probe| {
        Some((
            probe,
            [&metric::AUROC, &metric::ACCURACY].into_iter().find(|score| value(probe, score, false).is_some())?,
        ))
    })?;
    let after = value(probe, main, false)?;
    let before = value(probe, main, true).map(|before| format!(", untrained {}", main.text(before)));
    Some(format!(
        "<p class=\"gain\">{}: <b>{}</b>{}.</p>\n<p class=\"soft\">{} <code>selfsame evaluate</code> gives intervals, and scores on a \
         test split.</p>",
        escape(&probe.titled(main)),
        main.text(after),
        before.unwrap_or_default(),
        escape(&scored_on(record).unwrap_or_default())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::record::tests::example_record;

    #[test]
    fn a_run_is_told_in_words() {
        let mut record = example_record();
        record.metrics.insert("untrained/knn/val/accuracy".into(), 0.25);
        let text = verdict(&record, &[]);
        let said = "resnet8 was trained by simclr on CIFAR10 (45000 images of 3 × 32 × 32 an epoch): 20 of 20 epochs in 61 min, \
                    completed.";
        assert!(text.contains(said), "{text}");
        assert!(text.contains("kNN top-1: <b>75.0 %</b>, untrained 25.0 %."), "{text}");
        record.metrics.clear();
        assert!(verdict(&record, &[]).contains("Nothing was scored"));
    }

    #[test]
    fn durations_are_read_at_a_glance() {
        for (seconds, text) in [(59, "59 s"), (150, "3 min"), (7199, "120 min"), (7260, "2 h 01 min")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
