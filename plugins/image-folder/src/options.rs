//! `dataset.options`: what can be written, and which of it goes together.

use crate::form::OfPixels;
use crate::values::{OneOrMany, PerSplit, Value};
use regex::Regex;
use schemars::JsonSchema;
use selfsame_plugin_api::{PluginError, Result, read_options};
use selfsame_tables::policy::{Policy, Renamed, in_todays_words};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What an empty or uncertain cell of a label column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Value")]
#[schemars(with = "Value")]
pub enum Meaning {
    /// The label does not hold.
    Zero,
    /// The label holds.
    One,
    /// The sample is skipped.
    Skip,
}

impl TryFrom<Value> for Meaning {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        match value.0.as_str() {
            "0" | "false" => Ok(Self::Zero),
            "1" | "true" => Ok(Self::One),
            "skip" => Ok(Self::Skip),
            other => Err(format!("`{other}`, expected 0, 1 or skip")),
        }
    }
}

/// Words of earlier versions.
const RENAMED: [Renamed; 5] = [
    Renamed { option: "missing", earlier: "error", now: "stop" },
    Renamed { option: "missing", earlier: "drop", now: "skip" },
    Renamed { option: "group_overlap", earlier: "error", now: "stop" },
    Renamed { option: "group_overlap", earlier: "drop", now: "skip" },
    Renamed { option: "label_values", earlier: "drop", now: "skip" },
];

/// The options as written; [`Options::parse`] checks that they go together.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// CSV file in dataset_dir that lists the images, or one file each under `train`, `val` and `test`.
    pub csv: Option<CsvFiles>,
    /// CSV column with the image's path or file name; without it, `path`.
    pub path_column: Option<String>,
    /// Beginning that is cut from the listed paths, or a list of beginnings; all that fit are tried.
    pub strip_prefix: Option<OneOrMany<String>>,
    /// Folders below dataset_dir in which listed paths may begin, and lists may lie, too.
    pub folders: Vec<String>,
    /// Listed images that are not there, and images without a label in `label_column` or in a folder called `nan`, `None` and
    /// the like.
    pub missing: Policy,
    /// Rows that are used: a mapping of CSV columns to a value or a list of values.
    #[serde(rename = "where")]
    pub filters: BTreeMap<String, OneOrMany<Value>>,
    /// CSV column with the class.
    pub label_column: Option<String>,
    /// Text between the labels in `label_column` when an image may have several.
    #[schemars(length(min = 1))]
    pub label_separator: Option<String>,
    /// With `label_separator`: the word that stands for no label at all.
    pub negative_label: Option<Value>,
    /// CSV columns of 0 and 1, one for each label.
    pub label_columns: Vec<String>,
    /// What other cells of `label_columns` mean: a mapping to 0, 1 or skip ("" is empty).
    pub label_values: BTreeMap<String, Meaning>,
    /// All class names in label order; without it, those that occur, sorted.
    pub classes: Vec<Value>,
    /// Makes the task binary: an image with any of these labels is positive.
    pub positive_labels: Vec<Value>,
    /// true: folders and columns are not classes.
    pub unlabelled: bool,
    /// CSV column that says which split an image belongs to.
    pub split_column: Option<String>,
    /// Its values for `train`, `val` and `test`; without it, those words and their usual variants.
    pub split_values: Option<PerSplit<OneOrMany<Value>>>,
    /// Text files with the images of `train`, `val` and `test`, one a line.
    pub split_lists: Option<PerSplit<String>>,
    /// CSV column with the patient; images of one patient stay in one split.
    pub group_column: Option<String>,
    /// Regular expression that finds the patient in an image's path.
    #[schemars(with = "Option<String>")]
    pub group_pattern: Option<Pattern>,
    /// Patients in several splits; `skip` leaves out their images in all but the last split.
    pub group_overlap: Policy,
    #[serde(flatten)]
    pub of_pixels: OfPixels,
}

/// One list, or one for each split.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a file name, or file names under `train`, `val` and `test`")]
pub enum CsvFiles {
    /// All samples.
    One(String),
    /// A file for each split.
    Splits(PerSplit<String>),
}

/// A regular expression.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(pub Regex);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        Regex::new(&text).map(Self).map_err(|error| format!("not a regular expression: {error}"))
    }
}

impl Options {
    /// Reads `dataset.options`.
    ///
    /// # Errors
    /// An unknown option, a wrong value, or options that do not go together.
    pub fn parse(options: &serde_json::Value) -> Result<Self> {
        let options: Self = read_options(&in_todays_words(options, &RENAMED))?;
        options.check_values()?;
        options.check_company()?;
        Ok(options)
    }

    /// The folder, or the CSV files in it, that say which samples there are.
    pub fn source(&self, root: &Path) -> String {
        let files: Vec<&String> = match &self.csv {
            None => return root.display().to_string(),
            Some(CsvFiles::One(file)) => vec![file],
            Some(CsvFiles::Splits(files)) => files.given().map(|(_, file)| file).collect(),
        };
        let files: Vec<String> = files.iter().map(|file| self.list(root, file).display().to_string()).collect();
        files.join(" and ")
    }

    /// Whether the options name this label as a class, whatever else it could mean.
    pub fn names_class(&self, label: &str) -> bool {
        self.classes.iter().chain(&self.positive_labels).any(|named| named.0 == label)
    }

    /// Where a list of this name lies: below the root, or in the first of `folders` that holds it.
    pub fn list(&self, root: &Path, file: &str) -> PathBuf {
        let below = root.join(file);
        let deeper = || self.folders.iter().map(|folder| root.join(folder).join(file)).find(|path| path.is_file());
        if below.is_file() { below } else { deeper().unwrap_or(below) }
    }

    fn check_values(&self) -> Result<()> {
        let wrong = |message: String| Err(PluginError::configuration(message));
        self.of_pixels.form()?;
        let repeated = |values: &[Value]| (1..values.len()).find(|&at| values[..at].contains(&values[at]));
        for (name, values) in [("classes", &self.classes), ("positive_labels", &self.positive_labels)] {
            if let Some(at) = repeated(values) {
                return wrong(format!("option `{name}` names `{}` twice", values[at].0));
            }
        }
        Ok(())
    }

    /// Each option with what it needs, and those that exclude each other.
    fn check_company(&self) -> Result<()> {
        let has_lists = self.split_lists.is_some();
        let given = |option: &Option<String>| option.is_some();
        let needs = [
            ("path_column", given(&self.path_column), "csv", self.csv.is_some()),
            ("strip_prefix", self.strip_prefix.is_some(), "csv", self.csv.is_some()),
            ("folders", !self.folders.is_empty(), "csv", self.csv.is_some()),
            ("where", !self.filters.is_empty(), "csv", self.csv.is_some()),
            ("label_column", given(&self.label_column), "csv", self.csv.is_some()),
            ("label_columns", !self.label_columns.is_empty(), "csv", self.csv.is_some()),
            ("split_column", given(&self.split_column), "csv", self.csv.is_some()),
            ("group_column", given(&self.group_column), "csv", self.csv.is_some()),
            ("label_separator", given(&self.label_separator), "label_column", given(&self.label_column)),
            ("negative_label", self.negative_label.is_some(), "label_separator", given(&self.label_separator)),
            ("label_values", !self.label_values.is_empty(), "label_columns", !self.label_columns.is_empty()),
            ("split_values", self.split_values.is_some(), "split_column", given(&self.split_column)),
        ];
        if let Some((option, _, other, _)) = needs.iter().find(|(_, given, _, has)| *given && !has) {
            return Err(PluginError::configuration(format!("option `{option}` needs the option `{other}`")));
        }
        let has_column = given(&self.label_column);
        let has_columns = !self.label_columns.is_empty();
        let has_classes = !self.classes.is_empty();
        let has_positive = !self.positive_labels.is_empty();
        let excluding = [
            ("label_columns", has_columns, "label_column", has_column),
            ("classes", has_classes, "label_columns", has_columns),
            ("classes", has_classes, "positive_labels", has_positive),
            ("unlabelled", self.unlabelled, "label_column", has_column),
            ("unlabelled", self.unlabelled, "label_columns", has_columns),
            ("unlabelled", self.unlabelled, "classes", has_classes),
            ("unlabelled", self.unlabelled, "positive_labels", has_positive),
            ("split_column", given(&self.split_column), "split_lists", has_lists),
            ("group_column", given(&self.group_column), "group_pattern", self.group_pattern.is_some()),
        ];
        if let Some((option, _, other, _)) = excluding.iter().find(|(_, one, _, two)| *one && *two) {
            return Err(PluginError::configuration(format!("write option `{option}` or `{other}`, not both")));
        }
        if matches!(self.csv, Some(CsvFiles::Splits(_))) && (given(&self.split_column) || has_lists) {
            let message =
                "option `csv` already names a file for each split; take `split_column` and `split_lists` away";
            return Err(PluginError::configuration(message));
        }
        let has_labels = has_column || has_columns;
        if self.csv.is_some() && !has_labels && (has_classes || has_positive) {
            let option = if has_classes { "classes" } else { "positive_labels" };
            let message = format!("option `{option}` needs the option `label_column` or `label_columns`");
            return Err(PluginError::configuration(message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selfsame_plugin_api::option_specs;

    #[test]
    fn every_option_says_what_it_means() {
        let specs = option_specs::<Options>();
        let help = |name: &str| specs.iter().find(|spec| spec.name == name).unwrap().help.clone();
        assert!(specs.iter().all(|spec| spec.help.len() > 20), "{specs:?}");
        assert_eq!(specs.len(), 27);
        assert!(help("where").starts_with("Rows that are used"), "{}", help("where"));
        assert!(help("missing").ends_with("`stop` or `skip`; default `stop`"), "{}", help("missing"));
        assert!(help("bit_depth").ends_with("else 8; 8 or 16"), "{}", help("bit_depth"));
        assert!(help("max_pixels").ends_with("default 100000000"), "{}", help("max_pixels"));
    }
}
