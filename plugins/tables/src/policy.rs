//! One vocabulary for what to do about input that does not fit: `stop` or `skip`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens to input that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The run stops and names it.
    #[default]
    Stop,
    /// It is skipped and counted.
    Skip,
}

/// An option's word of earlier versions.
#[derive(Debug, Clone, Copy)]
pub struct Renamed {
    /// The option, or a mapping whose values are such words.
    pub option: &'static str,
    /// As it was written.
    pub earlier: &'static str,
    /// As it is written now.
    pub now: &'static str,
}

/// `dataset.options` in today's words. A warning names each word that was written in its earlier form.
pub fn in_todays_words(options: &Value, words: &[Renamed]) -> Value {
    let mut options = options.clone();
    for Renamed { option, earlier, now } in words {
        let Some(value) = options.get_mut(option) else { continue };
        let values: Vec<&mut Value> = match value {
            Value::Object(values) => values.values_mut().collect(),
            value => vec![value],
        };
        let written: Vec<_> = values.into_iter().filter(|value| *value == earlier).collect();
        if !written.is_empty() {
            tracing::warn!("dataset.options.{option}: `{earlier}` is called `{now}` now; write `{now}`");
        }
        written.into_iter().for_each(|value| *value = Value::from(*now));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_of_earlier_versions_become_todays_and_others_stay() {
        let word = |option, earlier, now| Renamed { option, earlier, now };
        let words = [word("missing", "error", "stop"), word("missing", "drop", "skip"), word("values", "drop", "skip")];
        for (written, expected) in [
            (json!({ "missing": "drop", "csv": "drop" }), json!({ "missing": "skip", "csv": "drop" })),
            (json!({ "missing": "error" }), json!({ "missing": "stop" })),
            (json!({ "missing": "skip" }), json!({ "missing": "skip" })),
            (json!({ "values": { "": "drop", "drop": 0 } }), json!({ "values": { "": "skip", "drop": 0 } })),
            (Value::Null, Value::Null),
        ] {
            assert_eq!(in_todays_words(&written, &words), expected);
        }
    }
}
