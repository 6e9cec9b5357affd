//! The paths of a configuration: `~` in them, what they are from the root, and which key set one.

use super::error::Problem;
use super::load::Resolved;
use super::origin::{self, Origin};
use super::schema::Config;
use crate::home;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A path of a run as it was written, and where that was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPath {
    /// The dotted key, or `dataset.mix.0.dataset_dir` for an entry of a list.
    pub key: String,
    /// As it was written; `~` is expanded.
    pub written: PathBuf,
    /// From the root.
    pub absolute: PathBuf,
}

/// Every key that takes a path, and its value where it has one.
fn each(config: &mut Config, visit: &mut dyn FnMut(&str, &mut PathBuf)) {
    visit("train.output_dir", &mut config.train.output_dir);
    let mut named = |key: &str, path: &mut Option<PathBuf>| path.iter_mut().for_each(|path| visit(key, path));
    named("train.self_supervision.init", &mut config.train.self_supervision.init);
    named("data.cache_dir", &mut config.data.cache_dir);
    named("dataset.dataset_dir", &mut config.dataset.dataset_dir);
    for (index, set) in config.dataset.mix.iter_mut().enumerate() {
        named(&format!("dataset.mix.{index}.dataset_dir"), &mut set.dataset_dir);
    }
    named("linear_head.dataset.dataset_dir", &mut config.linear_head.dataset.dataset_dir);
}

/// Expands `~` in every path, and in options of data sets and encoders, whose paths only their plugins know.
pub(super) fn expand_home(config: &mut Config, origins: &BTreeMap<String, Origin>) -> Vec<Problem> {
    let mut problems = Vec::new();
    each(config, &mut |key, path| match home::expanded(path) {
        Ok(expanded) => *path = expanded,
        Err(expected) => problems.push(Problem::Value {
            key: key.into(),
            value: path.display().to_string(),
            origin: origin::find(origins, key),
            expected: expected.into(),
        }),
    });
    let mixed = config.dataset.mix.iter_mut().map(|set| &mut set.options);
    let own = [&mut config.dataset.options, &mut config.linear_head.dataset.options, &mut config.encoder.options];
    own.into_iter().chain(mixed).for_each(expand_options);
    problems
}

fn expand_options(options: &mut Map<String, Value>) {
    for value in options.values_mut() {
        if let Value::String(text) = value
            && text.starts_with("~/")
            && let Some(expanded) =
                home::expanded(Path::new(text)).ok().and_then(|path| path.to_str().map(str::to_owned))
        {
            *text = expanded;
        }
    }
}

/// The configuration with every path from the root, so that it means the same from any folder.
#[must_use]
pub fn absolute(config: &Config) -> Config {
    let mut config = config.clone();
    each(&mut config, &mut |_, path| *path = home::absolute(path));
    config
}

/// Every path that the configuration has.
#[must_use]
pub fn recorded(config: &Config) -> Vec<RecordedPath> {
    let mut found = Vec::new();
    each(&mut config.clone(), &mut |key, path| {
        found.push(RecordedPath { key: key.into(), written: path.clone(), absolute: home::absolute(path) });
    });
    found
}

/// Which key or flag set the path that a message is about, and what it was set to; none where it is about no path of the
/// configuration.
#[must_use]
pub fn set_by(resolved: &Resolved, message: &str) -> Option<String> {
    let is_named = |path: &RecordedPath| {
        let absolute = path.absolute.display().to_string();
        let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c));
        message.match_indices(&absolute).any(|(at, _)| !goes_on(&message[at + absolute.len()..]))
    };
    let named = recorded(&resolved.config).into_iter().filter(is_named);
    let path = named.max_by_key(|path| path.absolute.as_os_str().len())?;
    let origin = origin::find(&resolved.origins, &path.key);
    Some(format!("`{}` is {} ({origin})", path.key, path.written.display()))
}

#[cfg(test)]
mod tests {
    use super::super::load::load;
    use super::super::sources::Sources;
    use super::*;

    fn resolved(sets: &[&str]) -> Resolved {
        load(&Sources { sets: sets.iter().map(ToString::to_string).collect(), ..Sources::default() }).unwrap()
    }

    #[test]
    fn a_message_about_a_path_is_given_the_key_that_set_it() {
        let resolved =
            resolved(&["dataset.dataset_dir=films", "train.output_dir=runs/a", "data.cache_dir=runs/a/cache"]);
        let folder = std::env::current_dir().unwrap();
        let of = |path: &str| set_by(&resolved, &format!("{}: no such folder", folder.join(path).display()));
        assert_eq!(of("films").unwrap(), "`dataset.dataset_dir` is films (--set dataset.dataset_dir=films)");
        assert!(of("films/one.png").unwrap().starts_with("`dataset.dataset_dir`"));
        assert_eq!(of("films2"), None);
        // The longest path that fits is the one that is meant.
        assert!(of("runs/a/cache").unwrap().starts_with("`data.cache_dir`"));
        assert!(of("runs/a/config.yaml").unwrap().starts_with("`train.output_dir`"));
    }

    #[test]
    fn every_path_key_of_the_schema_is_known_here() {
        // Keys whose values end in a folder or file, by the names that the schema gives them.
        let mut config = Config::default();
        config.dataset.mix.push(Default::default());
        let json = serde_json::to_value(&config).unwrap();
        let mut in_schema: Vec<String> = super::super::flat(&json).into_keys().collect();
        in_schema.retain(|key| key.ends_with("_dir") || key.ends_with(".init"));
        for path in [&mut config.dataset.dataset_dir, &mut config.linear_head.dataset.dataset_dir] {
            *path = Some("x".into());
        }
        config.data.cache_dir = Some("x".into());
        config.train.self_supervision.init = Some("x".into());
        config.dataset.mix[0].dataset_dir = Some("x".into());
        let mut here: Vec<_> = recorded(&config).into_iter().map(|path| path.key).collect();
        here.sort();
        in_schema.sort();
        assert_eq!(here, in_schema);
    }
}
