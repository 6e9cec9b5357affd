//! What each key decides.

use super::keys::Key;
use super::role::Role;

/// The roles of all keys.
#[derive(Debug)]
pub struct Roles {
    root: Key,
}

impl Roles {
    /// Reads them from the schema.
    #[must_use]
    pub fn read() -> Self {
        Self { root: Key::root() }
    }

    /// The role of the value at a dotted path, which may go through a list of sections (`dataset.mix.0.name`) and into
    /// mappings that the schema does not know; of an unknown key, that of its section.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<Role> {
        let mut key = &self.root;
        for name in path.split('.').filter(|name| name.parse::<usize>().is_err()) {
            match key.child(name) {
                Some(inner) => key = inner,
                None => break,
            }
        }
        key.role
    }

    /// Every key and section that has a role, sections before what is in them.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Role)> {
        self.root.all().into_iter().filter_map(|key| Some((key.path.as_str(), key.role?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::role::InEvaluation;
    use super::*;
    use InEvaluation::{Fixed, Indifferent, Noted, OfTheImages, OfTraining};
    use serde::Deserialize;

    /// Keys, or whole sections, that a run may be continued with other values of.
    const FREE: [&str; 17] = [
        "data.cache",
        "data.cache_dir",
        "dataset.dataset_dir",
        "dataset.mix.dataset_dir",
        "dataset.num_workers",
        "knn",
        "linear_head.dataset.dataset_dir",
        "linear_head.dataset.num_workers",
        "train.checkpoint_every_steps",
        "train.checkpoint_period",
        "train.collective_timeout",
        "train.collectives",
        "train.deterministic",
        "train.device",
        "train.output_dir",
        "train.report_images",
        "train.resume_from_last_checkpoint",
    ];

    /// What keys, or whole sections, are to an evaluation; the first that fits a key counts, and other keys are noted.
    const TO_AN_EVALUATION: [(&str, InEvaluation); 35] = [
        ("augmentation.normalize", Fixed),
        ("dataset.name", Fixed),
        ("dataset.options", OfTheImages),
        ("dataset.mix", Fixed),
        ("data.val_fraction", Fixed),
        ("encoder", Fixed),
        ("linear_head.dataset", Fixed),
        ("method", Fixed),
        ("preprocess", OfTheImages),
        ("train.encoder_ema_decay", Fixed),
        ("train.seed", Fixed),
        ("train.self_supervision.encoder_name", Fixed),
        ("train.self_supervision.init", Fixed),
        ("train.self_supervision.init_prefix", Fixed),
        ("train.self_supervision.type", Fixed),
        ("knn.every_epochs", OfTraining),
        ("linear_head", OfTraining),
        ("optimizer", OfTraining),
        ("scheduler", OfTraining),
        ("train.base_lr", OfTraining),
        ("train.checkpoint_every_steps", OfTraining),
        ("train.checkpoint_period", OfTraining),
        ("train.collective_timeout", OfTraining),
        ("train.output_dir", OfTraining),
        ("train.report_images", OfTraining),
        ("train.resume_from_last_checkpoint", OfTraining),
        ("data.cache", Indifferent),
        ("data.cache_dir", Indifferent),
        ("dataset.num_workers", Indifferent),
        ("dataset.weight", Indifferent),
        ("train.batch_size", Indifferent),
        ("train.collectives", Indifferent),
        ("train.deterministic", Indifferent),
        ("train.device", Indifferent),
        ("train.micro_batch_size", Indifferent),
    ];

    fn is_within(key: &str, section: &str) -> bool {
        key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    #[test]
    fn every_key_has_a_role_with_the_consequences_that_its_name_stands_for() {
        let root = Key::root();
        let keys: Vec<_> = root.all().into_iter().filter(|key| key.children().is_empty()).collect();
        assert!(keys.len() > 100, "{} keys", keys.len());
        for Key { path, role, .. } in keys {
            let role = role.unwrap_or_else(|| panic!("`{path}` has no role"));
            let free = FREE.iter().any(|free| is_within(path, free));
            assert_eq!(role.may_change_on_resume(), free, "{path}: {role:?}");
            let stated = TO_AN_EVALUATION.iter().find(|(section, _)| is_within(path, section));
            assert_eq!(role.in_evaluation(), stated.map_or(Noted, |(_, is)| *is), "{path}: {role:?}");
            let is_name = ["dataset.name", "train.self_supervision.encoder_name"].contains(&path.as_str());
            assert_eq!(role == Role::Plugin, is_name, "{path}: {role:?}");
        }
    }

    #[test]
    fn every_role_that_the_schema_states_is_one() {
        fn check(schema: &serde_json::Value) {
            match schema {
                serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                    if name.starts_with("x-role") {
                        assert!(Role::deserialize(value).is_ok(), "{value} is no role");
                    }
                    check(value);
                }),
                serde_json::Value::Array(items) => items.iter().for_each(check),
                _ => {}
            }
        }
        check(&crate::config::json_schema());
    }

    #[test]
    fn a_value_has_the_role_of_its_key_also_in_a_list_in_options_and_where_the_key_is_unknown() {
        let roles = Roles::read();
        assert_eq!(roles.of("dataset.mix.0.dataset_dir"), Some(Role::Reach));
        assert_eq!(roles.of("dataset.mix.0.options.size"), Some(Role::Identity));
        assert_eq!(roles.of("dataset.options.size"), Some(Role::Images));
        assert_eq!(roles.of("knn.gone"), Some(Role::Measurement));
        assert_eq!(roles.of("train.gone"), None);
    }
}
