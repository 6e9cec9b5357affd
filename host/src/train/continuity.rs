//! Whether a run may be continued under the configuration at hand.

use super::error::TrainError;
use crate::config::Config;
use serde_json::Value;
use std::collections::BTreeMap;
use tch::Device;

/// Keys that may differ: they change where things are or how often something is written, not what is learnt.
const FREE: &[&str] = &[
    "data.cache",
    "dataset.dataset_dir",
    "dataset.num_workers",
    "knn.",
    "train.checkpoint_every_steps",
    "train.checkpoint_period",
    "train.device",
    "train.output_dir",
    "train.resume_from_last_checkpoint",
];

/// A longer or shorter run is a wish that users have; the schedule follows the new length.
const EPOCHS: &str = "scheduler.epochs";

/// Compares the state of a saved run with the configuration at hand.
///
/// # Errors
/// A value that decides what is learnt and differs; names key and both values.
pub fn check(state: &Value, config: &Config, device: Device) -> Result<(), TrainError> {
    let (then, now) = (&state["threads"], tch::get_num_threads());
    if device == Device::Cpu && *then != now {
        tracing::warn!(
            "the run was started with {then} threads and continues with {now} (OMP_NUM_THREADS): results will not be the \
             same to the last bit"
        );
    }
    compare(&state["config"], config)
}

fn compare(saved: &Value, config: &Config) -> Result<(), TrainError> {
    let now = serde_json::to_value(config)
        .map_err(|error| TrainError::configuration(format!("the configuration cannot be written: {error}")))?;
    let (saved, now) = (flat(saved), flat(&now));
    let mut differing = Vec::new();
    for (key, value) in &now {
        let before = saved.get(key).unwrap_or(&Value::Null);
        if before == value || FREE.iter().any(|free| key.starts_with(free)) {
            continue;
        }
        if key == EPOCHS {
            tracing::warn!("`{EPOCHS}` was {before} and is {value} now: the learning rate follows the new length");
            continue;
        }
        differing.push(format!("`{key}` was {before} and is {value} now"));
    }
    if differing.is_empty() {
        return Ok(());
    }
    Err(TrainError::configuration(format!(
        "this run cannot be continued, because {}. Use the values that it was started with (they are in its config.yaml), \
         or start another one with `--output-dir`",
        differing.join("; ")
    )))
}

/// Every value that is no mapping, by dotted key.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&path, value, into);
                }
            }
            other => {
                into.insert(prefix.to_owned(), other.clone());
            }
        }
    }
    let mut into = BTreeMap::new();
    walk("", value, &mut into);
    into
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_decides_what_is_learnt_must_stay() {
        let config = Config::default();
        let mut saved = serde_json::to_value(&config).unwrap();
        saved["train"]["output_dir"] = "elsewhere".into();
        saved["knn"]["k"] = 3.into();
        saved["scheduler"]["epochs"] = 7.into();
        compare(&saved, &config).unwrap();
        saved["train"]["batch_size"] = 64.into();
        let error = compare(&saved, &config).unwrap_err().to_string();
        assert!(error.contains("`train.batch_size` was 64 and is 512 now"), "{error}");
    }
}
