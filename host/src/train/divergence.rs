//! What to say of a loss that is no longer a number: the setting that most likely did it, and what is saved.

use crate::config::{Config, flat};
use crate::error::Error;
use crate::method::MethodName;
use serde_json::Value;

/// Powers of ten by which a setting has to be off its default before it is named in place of the learning rate.
const FAR: f64 = 2.0;

/// Ends a run of which `what` is not finite.
pub fn diverged(what: &str, config: &Config, has_checkpoint: bool) -> Error {
    let saved = match has_checkpoint {
        true => "The last checkpoint is untouched",
        false => "There is no checkpoint yet, so nothing was saved",
    };
    Error::configuration(format!("{what}; {}. {saved}", advice(config)))
}

/// Of the settings that decide the size of a step, the one that is farthest from its default, or else the usual remedies.
fn advice(config: &Config) -> String {
    let usual = "lower `train.base_lr`, lengthen `scheduler.warmup_epochs`, or set `optimizer.clip_grad_norm`";
    match farthest(config) {
        Some((key, value, default)) if key != "train.base_lr" => {
            format!("the likeliest cause is `{key}`, which is {value} where {default} is usual. Otherwise {usual}")
        }
        _ => usual.to_owned(),
    }
}

/// Key, value and default of the number that is farthest from its default, by their ratio, where that is far.
fn farthest(config: &Config) -> Option<(String, String, String)> {
    let method = config.train.self_supervision.method;
    let json = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    let (now, usual) = (json(config), json(&Config::of(method)));
    let (now, usual) = (flat(&now), flat(&usual));
    let other =
        |key: &str| MethodName::ALL.iter().any(|name| *name != method && key.starts_with(&format!("method.{name}.")));
    let decides = |key: &str| {
        let sections = ["method.", "optimizer."].iter().any(|section| key.starts_with(section));
        (sections || key == "train.base_lr") && !key.starts_with("method.projection.") && !other(key)
    };
    let distance = |key: &String, value: &Value| {
        let positive = |value: &Value| value.as_f64().filter(|value| *value > 0.0);
        Some((positive(value)?.log10() - positive(usual.get(key)?)?.log10()).abs())
    };
    let off = now.iter().filter(|(key, _)| decides(key));
    let off = off.filter_map(|(key, value)| Some((key, value, distance(key, value).filter(|far| *far >= FAR)?)));
    let (key, value, _) = off.max_by(|one, other| one.2.total_cmp(&other.2))?;
    Some((key.clone(), value.to_string(), usual.get(key)?.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_is_farthest_from_its_default_is_named() {
        type Change<'a> = &'a dyn Fn(&mut Config);
        let advice_of = |change: Change| {
            let mut config = Config::default();
            change(&mut config);
            advice(&config)
        };
        let cases: [(Change, &str); 5] = [
            (&|config| config.method.temperature = 1e-40, "`method.temperature`, which is 1e-40 where 0.5 is usual"),
            (&|config| config.optimizer.weight_decay = 1e9, "`optimizer.weight_decay`"),
            (&|_| {}, "lower `train.base_lr`"),
            (&|config| config.train.base_lr = 1e8, "lower `train.base_lr`"),
            // Settings of other methods play no part.
            (&|config| config.method.vicreg.variance = 1e9, "lower `train.base_lr`"),
        ];
        for (change, part) in cases {
            let advice = advice_of(change);
            assert!(advice.contains(part), "{advice}");
            assert_eq!(advice.contains("likeliest"), !part.starts_with("lower"), "{advice}");
        }
    }
}
