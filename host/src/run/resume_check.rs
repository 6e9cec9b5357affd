//! Whether a run may be continued under the configuration at hand.

use super::record::DataSetRecord;
use crate::config::{self, Config, Role, Roles, flat};
use crate::error::Error;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tch::Device;

/// A longer or shorter run is a wish that users have; the schedule follows the new length.
const EPOCHS: &str = "scheduler.epochs";
/// So is another rate of learning: the schedule is a function of the step, so that from here on it is that of a run which had
/// the new peak all along.
const BASE_LR: &str = "train.base_lr";
/// What may differ where training goes on, and what comes of it.
const FOLLOWED: [(&str, &str); 2] = [
    (EPOCHS, "the learning rate (and BYOL's τ) follow the new length"),
    (BASE_LR, "from here on the learning rate is that of a run with the new peak, at the same step of the schedule"),
];
/// The most differences that a message lists.
const SHOWN: usize = 5;

/// Compares the state of a saved run with the configuration at hand.
///
/// # Errors
/// A value that decides what is learnt and differs; names key and both values.
pub fn check(state: &Value, config: &Config, device: Device, processes: usize) -> Result<(), Error> {
    let (then, now) = (&state["threads"], tch::get_num_threads());
    if device == Device::Cpu && *then != now {
        tracing::warn!(
            "the run was started with {then} threads and continues with {now} (OMP_NUM_THREADS): results will not be the \
             same to the last bit"
        );
    }
    let (then, now) = (state["processes"].as_u64().unwrap_or(1), processes as u64);
    if then != now {
        tracing::warn!(
            "the run was saved by {then} processes and continues with {now}: results will not be the same to the last bit"
        );
    }
    compare_values(&state["config"], config, &FOLLOWED)?;
    let at = |key: &str| state["position"][key].as_u64().unwrap_or(0);
    let (done, begun, wanted) = (at("epoch"), at("step_in_epoch") > 0, config.scheduler.epochs as u64);
    if wanted < done + u64::from(begun) {
        return Err(Error::configuration(format!(
            "`{EPOCHS}` is {wanted}, and {done} epochs are done already{}; set it to at least {}",
            if begun { " and another has begun" } else { "" },
            done + u64::from(begun)
        )));
    }
    Ok(())
}

/// Every value that processes which train together must have alike, by key, as it is written.
///
/// # Errors
/// A configuration that cannot be written.
pub fn common_values(config: &Config) -> Result<Vec<(String, String)>, Error> {
    let (roles, all) = (Roles::read(), value(config)?);
    let common = flat(&all).into_iter().filter(|(key, _)| !roles.of(key).is_some_and(Role::may_change_on_resume));
    Ok(common.map(|(key, value)| (format!("`{key}`"), value.to_string())).collect())
}

/// Compares the samples that a run was started with and those that there are now.
///
/// # Errors
/// A data set whose training split has other samples, labels, groups or another cut.
pub fn check_samples(before: &[DataSetRecord], now: &[DataSetRecord]) -> Result<(), Error> {
    for (before, now) in before.iter().zip(now) {
        if before.samples_sha256.is_some() && before.samples_sha256 != now.samples_sha256 {
            return Err(Error::data(format!(
                "this run cannot be continued, because the training split of data set {} has other samples, labels or \
                 groups than when the run was started, and images held out for validation would be trained on. Restore \
                 its files, or start another run with `--output-dir`",
                now.name
            )));
        }
    }
    Ok(())
}

/// Compares the configuration that a run was started with and the one at hand, where no training goes on.
///
/// # Errors
/// As [`check`], and another learning rate.
pub fn compare(saved: &Config, config: &Config) -> Result<(), Error> {
    compare_values(&value(saved)?, config, &FOLLOWED[..1])
}

fn value(config: &Config) -> Result<Value, Error> {
    // A path is the same from whatever folder it was written.
    serde_json::to_value(config::absolute(config))
        .map_err(|error| Error::configuration(format!("the configuration cannot be written: {error}")))
}

/// `followed` are the keys that may differ with a warning, and what it says.
fn compare_values(saved: &Value, config: &Config, followed: &[(&str, &str)]) -> Result<(), Error> {
    // Keys that are younger than the run have their default.
    let saved = match serde_json::from_value::<Config>(saved.clone()) {
        Ok(saved) => value(&saved)?,
        Err(_) => saved.clone(),
    };
    let now = value(config)?;
    let (saved, now) = (set(&saved), set(&now));
    let roles = Roles::read();
    let (mut differing, mut warnings) = (Vec::new(), Vec::new());
    let keys: BTreeSet<&String> = saved.keys().chain(now.keys()).collect();
    for key in keys {
        let at = |values: &BTreeMap<String, &Value>| values.get(key).copied().cloned().unwrap_or_default();
        let (before, value) = (at(&saved), at(&now));
        if before == value || roles.of(key).is_some_and(Role::may_change_on_resume) {
            continue;
        }
        let differs = format!("`{key}` was {before} and is {value} now");
        match followed.iter().find(|(followed, _)| followed == key) {
            Some((_, consequence)) => warnings.push(format!("{differs}: {consequence}")),
            None => differing.push(differs),
        }
    }
    if differing.is_empty() {
        warnings.into_iter().for_each(|message| tracing::warn!("{message}"));
        return Ok(());
    }
    let more = match differing.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more keys differ"),
    };
    differing.truncate(SHOWN);
    Err(Error::configuration(format!(
        "this run cannot be continued, because {}{more}. `selfsame train --resume RUN` alone takes the values that it was started \
         with from its config.yaml; or start another one with `--output-dir`",
        differing.join("; ")
    )))
}

/// The values by dotted key; an empty list is no value.
fn set(values: &Value) -> BTreeMap<String, &Value> {
    let mut values = flat(values);
    values.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::MixedDatasetConfig;

    #[test]
    fn only_what_decides_what_is_learnt_must_stay() {
        let config = Config::default();
        let mut saved = serde_json::to_value(&config).unwrap();
        saved["train"]["output_dir"] = "elsewhere".into();
        saved["knn"]["k"] = 3.into();
        saved["scheduler"]["epochs"] = 7.into();
        compare_values(&saved, &config, &FOLLOWED).unwrap();
        saved["train"]["base_lr"] = 7.0.into();
        compare_values(&saved, &config, &FOLLOWED).unwrap();
        let error = compare_values(&saved, &config, &FOLLOWED[..1]).unwrap_err().to_string();
        assert!(error.contains("`train.base_lr` was 7.0 and is 0.03 now"), "{error}");
        saved["train"]["batch_size"] = 64.into();
        let error = compare_values(&saved, &config, &FOLLOWED).unwrap_err().to_string();
        assert!(error.contains("`train.batch_size` was 64 and is 512 now"), "{error}");
    }

    #[test]
    fn many_differences_are_counted_and_a_path_is_the_same_from_any_folder() {
        let mut config = Config::default();
        config.train.self_supervision.init = Some("given.safetensors".into());
        let mut saved = serde_json::to_value(config::absolute(&config)).unwrap();
        compare_values(&saved, &config, &FOLLOWED).unwrap();
        for key in ["use_random_crop", "use_random_horizontal_flip", "use_random_color", "use_gaussian_blur"] {
            let value = &mut saved["augmentation"][key];
            *value = (!value.as_bool().unwrap_or_default()).into();
        }
        saved["train"]["seed"] = 9.into();
        saved["train"]["batch_size"] = 64.into();
        let error = compare_values(&saved, &config, &FOLLOWED).unwrap_err().to_string();
        assert_eq!(error.matches(" and is ").count(), SHOWN, "{error}");
        assert!(error.contains("and 1 more keys differ") && error.contains("--resume RUN"), "{error}");
    }

    #[test]
    fn the_data_sets_of_a_mixture_must_stay_but_may_move() {
        let mut config = Config::default();
        let mixed = |name: &str| MixedDatasetConfig { name: name.into(), ..MixedDatasetConfig::default() };
        config.dataset.mix = vec![mixed("a"), mixed("b")];
        let saved = serde_json::to_value(&config).unwrap();
        config.dataset.mix[1].dataset_dir = Some("elsewhere".into());
        compare_values(&saved, &config, &FOLLOWED).unwrap();
        config.dataset.mix.pop();
        let error = compare_values(&saved, &config, &FOLLOWED).unwrap_err().to_string();
        assert!(error.contains("`dataset.mix.1.name` was \"b\" and is null now"), "{error}");
    }
}
