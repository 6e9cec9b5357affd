//! What is worth knowing about a run, besides its scores.

use crate::evaluate::Evaluation;
use crate::plugin::UsedCard;
use crate::run::record::{DataSetRecord, RunRecord, RunStatus};
use std::borrow::Cow;

/// Name and value of what is worth knowing about a run.
pub(super) fn facts(record: &RunRecord) -> Vec<(&'static str, String)> {
    let status = match record.status {
        RunStatus::Running => "running, or killed",
        RunStatus::Completed => "completed",
        RunStatus::Interrupted => "interrupted (continue it with --resume)",
        RunStatus::Failed => "failed",
    };
    let second = |time: jiff::Timestamp| time.round(jiff::Unit::Second).unwrap_or(time).to_string();
    let mut time = second(record.started);
    if let Some(finished) = record.finished {
        time.push_str(&format!(" to {}", second(finished)));
    }
    let mut facts = vec![
        ("Status", format!("{status}, {} of {} epochs", record.epochs_done, record.epochs)),
        ("Method", format!("{}, {}", record.method, record.encoder)),
        ("Embedding", record.embedding.clone()),
        ("Data", data(record)),
        ("Time", time),
        (
            "Device",
            format!("{}, {} thread{}", record.device, record.threads, if record.threads == 1 { "" } else { "s" }),
        ),
        ("Seed", record.seed.to_string()),
        ("Versions", format!("selfsame {}, libtorch {}", record.selfsame_version, record.libtorch_version)),
    ];
    for command in &record.commands {
        facts.push(("Command", command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")));
    }
    for plugin in &record.plugins {
        let file = format!("{} (SHA-256 {})", plugin.path, plugin.sha256);
        let named = format!("{} {}, {file}", plugin.name, plugin.version);
        facts.push(("Plugin", if plugin.name.is_empty() { file } else { named }));
        for UsedCard { what, name, licence, citation } in &plugin.used {
            let stated = |text: &str| if text.is_empty() { "none stated".to_owned() } else { text.to_owned() };
            facts.push(("Terms", format!("{what} {name}: licence: {}; cite: {}", stated(licence), stated(citation))));
        }
    }
    facts
}

/// The data sets with their splits, and what each is for where there are several.
fn data(record: &RunRecord) -> String {
    let several = record.data_sets.len() > 1;
    let one = |data: &DataSetRecord| {
        let splits: Vec<_> = data.split_sizes.iter().map(|(split, size)| format!("{size} {split}")).collect();
        let mut text = format!("{} ({})", data.name, splits.join(", "));
        if several && data.images_per_epoch > 0 {
            text.push_str(&format!(", {} images an epoch", data.images_per_epoch));
        }
        if several && data.probed {
            text.push_str(", head and probes");
        }
        text
    };
    record.data_sets.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A word of a command line as a shell takes it; `KEY=VALUE` needs no quotes.
fn quoted(word: &str) -> Cow<'_, str> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            format!("{}={}", shell_words::quote(key), shell_words::quote(value)).into()
        }
        _ => shell_words::quote(word),
    }
}

/// What has to be known of the scores of evaluations, each once, after the names of the results that it is said of.
pub(super) fn evaluation_warnings(evaluations: &[(String, Evaluation)]) -> Vec<String> {
    let mut named: Vec<(&String, Vec<&str>)> = Vec::new();
    for (name, result) in evaluations {
        for warning in &result.warnings {
            match named.iter_mut().find(|(known, _)| *known == warning) {
                Some((_, names)) => names.push(name),
                None => named.push((warning, vec![name])),
            }
        }
    }
    named.into_iter().map(|(warning, names)| format!("{}: {warning}", names.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scores::scored_on;
    use super::*;
    use crate::run::record::tests::example_record;
    use std::collections::BTreeMap;

    #[test]
    fn a_data_set_of_the_heads_own_is_named() {
        let mut record = example_record();
        record.data_sets[0].probed = false;
        record.data_sets.push(DataSetRecord {
            folder: None,
            name: "CIFAR100".into(),
            images_per_epoch: 0,
            probed: true,
            split_sizes: BTreeMap::from([("test".into(), 10_000), ("train".into(), 50_000)]),
            samples_sha256: None,
        });
        let line = "Scored on 10000 test images of CIFAR100; the encoder learned from CIFAR10 alone.";
        assert_eq!(scored_on(&record).as_deref(), Some(line));
        assert_eq!(
            data(&record),
            "CIFAR10 (45000 train, 5000 val), 45000 images an epoch; CIFAR100 (10000 test, 50000 train), head and probes"
        );
    }
}
