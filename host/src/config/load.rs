//! Merges the layers into one configuration.

use super::check::{self, Checked};
use super::error::{ConfigError, Problem};
use super::flat;
use super::ignored_keys::{self, IgnoredKey};
use super::keys::Key;
use super::layers;
use super::origin::Origin;
use super::paths;
use super::role::Role;
use super::rules;
use super::schema::Config;
use super::sources::Sources;
use figment::providers::Serialized;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::collections::BTreeMap;

/// What has to be known before a plugin can be asked for its recommendations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `dataset.name`.
    pub dataset: String,
    /// `train.self_supervision.encoder_name`.
    pub encoder: String,
}

/// A configuration and where each of its values came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The configuration.
    pub config: Config,
    /// The origin of every value, by dotted key; of a list of sections, that of the list and of what its entries set.
    pub origins: BTreeMap<String, Origin>,
    /// Keys that were set and have no effect.
    pub ignored_keys: Vec<IgnoredKey>,
}

/// Reads, merges and checks a configuration.
///
/// # Errors
/// When a source cannot be read, a key is unknown, or a value has the wrong type or cannot be: one problem for each.
pub fn load(sources: &Sources) -> Result<Resolved, ConfigError> {
    let root = Key::root();
    let (resolved, mut problems) = merge(sources, &root)?;
    let values = serde_json::to_value(&resolved.config).map_err(|e| Problem::Conversion(e.to_string()))?;
    problems.extend(rules::ranges(&root, &values, &resolved.origins));
    if problems.is_empty() {
        problems = rules::rules(&resolved.config, &resolved.origins);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(ConfigError { problems }) }
}

/// Finds the names that decide which plugins are asked for recommendations; `sources.recommended` plays no part.
///
/// # Errors
/// As [`load`], except for impossible values.
pub fn peek(sources: &Sources) -> Result<Names, ConfigError> {
    let (resolved, problems) = merge(&Sources { recommended: Vec::new(), ..sources.clone() }, &Key::root())?;
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    let train = resolved.config.train;
    Ok(Names { dataset: resolved.config.dataset.name, encoder: train.self_supervision.encoder_name })
}

/// One layer, as figment takes it.
pub(super) struct Layered {
    pub name: String,
    pub values: Dict,
}

impl Provider for Layered {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// The merged layers without the values that do not fit, and a problem for each of those.
fn merge(sources: &Sources, root: &Key) -> Result<(Resolved, Vec<Problem>), ConfigError> {
    let mut problems = Vec::new();
    let mut stack = Vec::new();
    let mut origins = BTreeMap::new();
    let mut without_effect = Vec::new();
    for (index, mut layer) in layers::read(sources, &mut problems).into_iter().enumerate() {
        without_effect.extend(ignored_keys::take(&mut layer.node, &layer.origin));
        let Checked { values, origins: at, problems: found } = check::check(root, &layer.node, &layer.origin);
        problems.extend(found);
        if let Origin::Recommended(_) = layer.origin {
            let is_name = |name: &&String| root.find(name).is_some_and(|key| key.role == Some(Role::Plugin));
            problems.extend(at.keys().filter(is_name).map(|name| Problem::Source {
                origin: layer.origin.clone(),
                message: format!("a plugin may not recommend `{name}`"),
            }));
        }
        let name = format!("layer {index}");
        origins.insert(name.clone(), at);
        stack.push(Layered { name, values });
    }
    let internal = |error: figment::Error| ConfigError::from(Problem::Conversion(error.to_string()));
    let over = |defaults: Config| {
        stack.iter().fold(Figment::from(Serialized::defaults(defaults)), |figment, layer| figment.merge(layer))
    };
    // Some defaults depend on the method, which is itself a value of the layers.
    let chosen: Config = over(Config::default()).extract().map_err(internal)?;
    let figment = over(Config::of(chosen.train.self_supervision.method));
    let mut config: Config = figment.extract().map_err(internal)?;
    let merged = figment.find_value("").map_err(internal)?;
    let leaves = flat::walk(&merged, &|value| match value {
        Value::Dict(_, values) if !values.is_empty() => {
            Some(values.iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        _ => None,
    });
    let mut found = BTreeMap::new();
    for (path, value) in leaves {
        let layer = figment.get_metadata(value.tag()).and_then(|metadata| origins.get(metadata.name.as_ref()));
        if let (Value::Array(..), Some(at)) = (value, layer) {
            let below = format!("{path}.");
            let inside = at.range(below.clone()..).take_while(|(key, _)| key.starts_with(&below));
            found.extend(inside.map(|(key, origin)| (key.clone(), origin.clone())));
        }
        let origin = layer.and_then(|at| at.get(&path)).cloned().unwrap_or(Origin::Default);
        found.insert(path, origin);
    }
    problems.extend(paths::expand_home(&mut config, &found));
    Ok((Resolved { config, origins: found, ignored_keys: without_effect }, problems))
}
