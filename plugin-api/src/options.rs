//! Options that a user writes under `dataset.options` or `encoder.options`.

use crate::{PluginError, Result};
use schemars::{generate::SchemaSettings, JsonSchema};
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use serde_json::{Map, Value};

/// One option, as shown by `selfsame plugins inspect` and named in errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionSpec {
    /// The key below `dataset.options` or `encoder.options`.
    pub name: String,
    /// What it means, its range and its default, in one sentence.
    pub help: String,
}

impl OptionSpec {
    /// An option with its one-sentence explanation.
    pub fn new(name: &str, help: &str) -> Self {
        Self { name: name.into(), help: help.into() }
    }
}

/// The options that a struct has: a line each out of the documentation, the range and the default of its fields.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// /// `dataset.options`.
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(default)]
/// struct Options {
///     /// Number of training images.
///     #[schemars(range(min = 2, max = 1000))]
///     train_size: usize,
/// }
///
/// impl Default for Options {
///     fn default() -> Self {
///         Self { train_size: 100 }
///     }
/// }
///
/// let specs = selfsame_plugin_api::option_specs::<Options>();
/// assert_eq!(specs[0].help, "Number of training images; 2 to 1000; default 100");
/// let options = serde_json::json!({ "train_size": 1 });
/// let error = selfsame_plugin_api::read_options::<Options>(&options).err().unwrap();
/// assert_eq!(error.message, "option `train_size` = `1`: expected 2 to 1000");
/// ```
pub fn option_specs<T: JsonSchema>() -> Vec<OptionSpec> {
    let fields = fields::<T>();
    fields.iter().map(|(name, schema)| OptionSpec { name: name.clone(), help: help(schema) }).collect()
}

/// Reads options into the struct that [`option_specs`] describes.
///
/// # Errors
/// A key that the struct does not have, a value of the wrong type and one outside of its range: each names the option.
pub fn read_options<T: DeserializeOwned + JsonSchema>(options: &Value) -> Result<T> {
    let read = parse_options(options, &option_specs::<T>())?;
    let given = |name: &String| options.get(name).filter(|value| !value.is_null());
    for (name, schema) in fields::<T>() {
        if let Some(value) = given(&name) {
            check_range(&schema, value).map_err(|expected| {
                PluginError::configuration(format!("option `{name}` = `{value}`: expected {expected}"))
            })?;
        }
    }
    Ok(read)
}

/// The schema of each field.
fn fields<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn help(schema: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(text) = schema.get("description").and_then(Value::as_str) {
        parts.push(text.replace('\n', " ").trim_end_matches('.').to_owned());
    }
    match words(schema).join(" or ") {
        none if none.is_empty() => parts.extend(range(schema)),
        words => parts.push(words),
    }
    match schema.get("default") {
        None | Some(Value::Null) => {}
        Some(Value::Array(none)) if none.is_empty() => {}
        Some(Value::String(text)) => parts.push(format!("default `{text}`")),
        Some(default) => parts.push(format!("default {default}")),
    }
    parts.join("; ")
}

/// The values that an enumeration takes: numbers, and words in backticks.
fn words(schema: &Value) -> Vec<String> {
    let listed = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let documented = listed("oneOf").filter_map(|one| one.get("const"));
    let shown = |value: &Value| match value {
        Value::String(word) => Some(format!("`{word}`")),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    listed("enum").chain(documented).filter_map(shown).collect()
}

/// What a value may be, where the schema says.
fn range(schema: &Value) -> Option<String> {
    let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
    // Of a type that has no sign, 0 is no range.
    let is_unsigned = schema.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint"));
    let minimum = bound("minimum").filter(|bound| !is_unsigned || bound.as_u64() != Some(0));
    match (minimum, bound("maximum"), bound("exclusiveMinimum"), bound("exclusiveMaximum")) {
        (Some(min), Some(max), ..) => Some(format!("{min} to {max}")),
        (Some(min), _, _, None) => Some(format!("at least {min}")),
        (Some(min), .., Some(max)) => Some(format!("at least {min} and below {max}")),
        (None, Some(max), Some(min), _) => Some(format!("above {min} and at most {max}")),
        (None, Some(max), None, _) => Some(format!("at most {max}")),
        (None, None, Some(min), Some(max)) => Some(format!("above {min} and below {max}")),
        (None, None, Some(min), None) => Some(format!("above {min}")),
        (None, None, None, Some(max)) => Some(format!("below {max}")),
        (None, None, None, None) => schema.get("minLength").map(|_| "not empty".to_owned()),
    }
}

fn check_range(schema: &Value, value: &Value) -> std::result::Result<(), String> {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let is_inside = value.as_f64().is_none_or(|value| {
        bound("minimum").is_none_or(|min| value >= min)
            && bound("maximum").is_none_or(|max| value <= max)
            && bound("exclusiveMinimum").is_none_or(|min| value > min)
            && bound("exclusiveMaximum").is_none_or(|max| value < max)
    });
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    let is_long = value.as_str().is_none_or(|text| text.chars().count() as u64 >= least);
    let is_listed = |list: &Vec<Value>| list.contains(value);
    match schema.get("enum").and_then(Value::as_array).is_none_or(is_listed) {
        true if is_inside && is_long => Ok(()),
        true => Err(range(schema).unwrap_or_default()),
        false => Err(words(schema).join(" or ")),
    }
}

/// Reads options into `T`, a struct with serde defaults, whose options are described by hand.
///
/// # Errors
/// A key that no [`OptionSpec`] names is an error that names the key and lists the known ones; a value of the wrong
/// type is an error that names the option.
pub fn parse_options<T: DeserializeOwned>(options: &serde_json::Value, known: &[OptionSpec]) -> Result<T> {
    let empty = serde_json::Map::new();
    let map = match options {
        serde_json::Value::Null => &empty,
        serde_json::Value::Object(map) => map,
        other => return Err(PluginError::configuration(format!("options must be a mapping, not `{other}`"))),
    };
    if let Some(key) = map.keys().find(|key| !known.iter().any(|spec| spec.name == **key)) {
        let names: Vec<_> = known.iter().map(|spec| spec.name.as_str()).collect();
        let list = if names.is_empty() { "there are none".to_string() } else { names.join(", ") };
        return Err(PluginError::configuration(format!("unknown option `{key}`; known options: {list}")));
    }
    for (key, value) in map {
        let single = serde_json::Value::Object([(key.clone(), value.clone())].into_iter().collect());
        // Each option alone first, so that the message names the one at fault.
        if let Err(error) = serde_json::from_value::<T>(single) {
            return Err(PluginError::configuration(format!("option `{key}` = `{value}`: {error}")));
        }
    }
    serde_json::from_value(serde_json::Value::Object(map.clone()))
        .map_err(|error| PluginError::configuration(format!("options: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Check {
        /// By digest.
        Official,
        /// None at all.
        None,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Options {
        /// How files are checked.
        check: Check,
        /// Where they
        /// come from.
        #[schemars(length(min = 1))]
        mirror: Option<String>,
        #[schemars(range(max = 9))]
        size: u32,
        /// One of two.
        #[schemars(extend("enum" = [8, 16]))]
        depth: Option<u8>,
        /// A share.
        #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
        share: f64,
    }

    impl Default for Options {
        fn default() -> Self {
            Self { check: Check::Official, mirror: None, size: 3, depth: None, share: 0.5 }
        }
    }

    #[test]
    fn one_definition_gives_help_and_default() {
        let mut specs = option_specs::<Options>();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        let lines: Vec<_> = specs.iter().map(|spec| format!("{}: {}", spec.name, spec.help)).collect();
        assert_eq!(
            lines,
            [
                "check: How files are checked; `official` or `none`; default `official`",
                "depth: One of two; 8 or 16",
                "mirror: Where they come from; not empty",
                "share: A share; above 0 and at most 1; default 0.5",
                "size: at most 9; default 3",
            ]
        );
        let options: Options = read_options(&json!({ "size": 9, "mirror": null })).unwrap();
        assert_eq!((options.size, options.share, options.mirror, options.depth), (9, 0.5, None, None));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (options, part) in [
            (json!({ "size": 10 }), "option `size` = `10`: expected at most 9"),
            (json!({ "share": 0 }), "option `share` = `0`: expected above 0 and at most 1"),
            (json!({ "mirror": "" }), "option `mirror` = `\"\"`: expected not empty"),
            (json!({ "depth": 9 }), "option `depth` = `9`: expected 8 or 16"),
            (json!({ "check": "md5" }), "option `check`"),
            (json!({ "sise": 1 }), "unknown option `sise`; known options: "),
        ] {
            let error = read_options::<Options>(&options).unwrap_err();
            assert!(error.message.contains(part), "{error}");
        }
    }
}
