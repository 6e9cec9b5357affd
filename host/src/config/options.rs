//! Options of data sets and encoders, whose names only their plugins know.

use super::check::reach;
use super::error::Problem;
use super::keys::list;
use super::load::Resolved;
use super::node::Node;
use super::origin;
use serde_json::{Map, Value};

/// A problem for each of the `options` below the key `section` that is none of the `known` ones.
pub fn unknown_options(
    resolved: &Resolved,
    section: &str,
    options: &Map<String, Value>,
    known: &[&str],
) -> Vec<Problem> {
    let unknown = options.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    let problem = |(name, value): (&String, &Value)| {
        let key = format!("{section}.{name}");
        Problem::UnknownKey {
            value: (!value.is_object()).then(|| Node::from(value).brief()),
            origin: origin::find(&resolved.origins, &key),
            hint: hint(section, name, known),
            key,
        }
    };
    unknown.map(problem).collect()
}

/// `; did you mean …?`, or the options that there are.
fn hint(section: &str, name: &str, known: &[&str]) -> String {
    let distance = |other: &&&str| strsim::damerau_levenshtein(other, name);
    match known.iter().min_by_key(distance).filter(|other| distance(other) <= reach(name)) {
        Some(nearest) => format!("; did you mean `{section}.{nearest}`?"),
        None if known.is_empty() => "; there are no options".into(),
        None => format!("; known here: {}", list(known.iter().copied())),
    }
}
