//! The main scores of a run, each of a kind that other runs may have too.

use crate::evaluate::{Evaluation, MetricSummary, Protocol};
use crate::metric::{self, Metric, Probe};
use crate::output::scores::main_score;
use crate::run::record::RunRecord;
use selfsame_plugin_api::Split;
use std::fmt;

/// What was scored how: two values may be compared where these are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// By what: `linear`, or what training has, `linear (fixed L2)`.
    pub by: &'static str,
    /// What it is called in files: a protocol's or a probe's name.
    pub name: &'static str,
    /// Whether `selfsame evaluate` measured it, rather than training.
    pub is_evaluation: bool,
    /// The score.
    pub metric: &'static Metric,
    /// The split.
    pub split: Split,
    /// The data set.
    pub dataset: String,
}

/// A score of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Headline {
    /// Of what kind.
    pub kind: Kind,
    /// Of the trained encoder, in [0, 1].
    pub value: f64,
    /// 95 % interval over the scored images, where it was computed.
    pub interval: Option<[f64; 2]>,
    /// Of the encoder before its first step, where it was measured.
    pub untrained: Option<f64>,
}

impl Kind {
    /// `linear AUROC`.
    pub fn title(&self) -> String {
        format!("{} {}", self.by, self.metric.title)
    }

    /// Which comes first of two that are as frequent: evaluations, AUROC (which stands on no threshold), the test split.
    pub(super) fn rank(&self) -> (bool, bool, bool) {
        (!self.is_evaluation, *self.metric != metric::AUROC, self.split != Split::Test)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} split of {}", self.title(), self.split.name(), self.dataset)
    }
}

impl Headline {
    /// `92.2 % [90.1, 94.0]`.
    pub fn text(&self) -> String {
        let interval = self.interval.map(|[low, high]| format!(" [{:.1}, {:.1}]", 100.0 * low, 100.0 * high));
        format!("{}{}", self.kind.metric.text(self.value), interval.unwrap_or_default())
    }

    /// `untrained 50.0 %`; empty where that was not measured.
    pub fn before(&self) -> String {
        self.untrained.map(|value| format!("untrained {}", self.kind.metric.text(value))).unwrap_or_default()
    }
}

/// The main score of each evaluation by the protocols' own settings, then what training measured.
pub(super) fn of(record: &RunRecord, evaluations: &[(String, Evaluation)]) -> Vec<Headline> {
    let own = record.data_sets.iter().find(|data| data.probed).map_or(&record.dataset, |data| &data.name);
    let protocols = [Protocol::Linear, Protocol::Knn, Protocol::LinearAug, Protocol::Finetune];
    let evaluated = protocols.into_iter().filter_map(|protocol| evaluated(protocol, own, evaluations));
    evaluated.chain([Probe::Knn, Probe::Linear].into_iter().filter_map(|probe| measured(probe, own, record))).collect()
}

/// Of several results, that of the run's own data set and of the test split.
fn evaluated(protocol: Protocol, own: &str, evaluations: &[(String, Evaluation)]) -> Option<Headline> {
    let is_of = |result: &Evaluation, untrained: bool| {
        result.settings.is_empty() && result.protocol == protocol && (result.weights.file == "untrained") == untrained
    };
    let results = || evaluations.iter().map(|(_, result)| result);
    let rank = |result: &&Evaluation| (result.dataset != own, result.split != Split::Test);
    let result = results().filter(|result| is_of(result, false)).min_by_key(rank)?;
    // The mean AUROC over many classes has no interval, and training does not record it.
    let has_auroc = |score: &MetricSummary| score.interval.is_some() || result.confusion.is_empty();
    let metric = main_score(|name| {
        let score = result.metrics.get(name);
        if name == metric::AUROC.name { score.is_some_and(has_auroc) } else { score.is_some() }
    })?;
    let score = result.metrics.get(metric.name)?;
    let before = results()
        .find(|before| is_of(before, true) && (&before.dataset, before.split) == (&result.dataset, result.split));
    let by = match protocol {
        Protocol::Knn => Probe::Knn.title(),
        other => other.name(),
    };
    Some(Headline {
        kind: Kind {
            by,
            name: protocol.name(),
            is_evaluation: true,
            metric,
            split: result.split,
            dataset: result.dataset.clone(),
        },
        value: score.mean,
        interval: score.interval,
        untrained: before.and_then(|before| Some(before.metrics.get(metric.name)?.mean)),
    })
}

fn measured(probe: Probe, own: &str, record: &RunRecord) -> Option<Headline> {
    let splits = [Split::Test, Split::Val].into_iter();
    let mut named = splits.flat_map(|split| [&metric::AUROC, &metric::ACCURACY].map(|metric| (split, metric)));
    let (split, metric, value) = named.find_map(|(split, metric)| {
        let value = record.metrics.get(&probe.metric(split, metric)).copied()?;
        value.is_finite().then_some((split, metric, value))
    })?;
    let (by, name) = (probe.title(), probe.name());
    let kind = Kind { by, name, is_evaluation: false, metric, split, dataset: own.to_owned() };
    let untrained = record.metrics.get(&metric::untrained(&probe.metric(split, metric))).copied();
    Some(Headline { kind, value, interval: None, untrained })
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;

    #[test]
    fn what_training_measured_stands_beside_the_untrained_encoder() {
        let run = run(
            "a",
            &[
                ("knn/val/accuracy", 0.5),
                ("knn/val/auroc", 0.75),
                ("untrained/knn/val/auroc", 0.5),
                ("linear/test/accuracy", 0.25),
                ("linear/val/auroc", f64::NAN),
            ],
        );
        let told: Vec<_> = run.headlines.iter().map(|one| (one.kind.to_string(), one.text(), one.before())).collect();
        assert_eq!(
            told,
            [
                ("kNN AUROC, val split of CIFAR10".into(), "75.0 %".into(), "untrained 50.0 %".into()),
                ("linear (fixed L2) top-1, test split of CIFAR10".into(), "25.0 %".into(), String::new()),
            ]
        );
    }
}
