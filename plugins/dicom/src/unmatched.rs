//! Rows and files that do not belong together, and rows without a label.

use crate::listing::few;
use crate::table::shown;
use selfsame_plugin_api::{PluginError, Result};
use selfsame_tables::hints;
use selfsame_tables::policy::Policy;
use std::collections::BTreeSet;
use std::fmt::Display;

/// Rows whose label says that there is none, and the files or subjects that they are about.
#[derive(Debug, Default)]
pub struct Unlabelled<T> {
    pub rows: Vec<String>,
    pub subjects: BTreeSet<T>,
}

impl<T: Ord> Unlabelled<T> {
    /// One more row.
    pub fn add(&mut self, line: u64, label: &str, subjects: impl IntoIterator<Item = T>) {
        let label = if label.is_empty() { "empty".into() } else { format!("`{}`", shown(label)) };
        self.rows.push(format!("line {line}: {label}"));
        self.subjects.extend(subjects);
    }
}

/// Rows without a file, files without a row, and rows without a label; `csv` begins the message. `known` are the ids that rows
/// could have meant.
pub fn unmatched<'k, T: Display>(
    csv: impl Display,
    missing: &[String],
    known: impl IntoIterator<Item = &'k str>,
    rowless: &[T],
    unlabelled: &[String],
    policy: Policy,
) -> Result<()> {
    let mut parts = Vec::new();
    if !unlabelled.is_empty() {
        let advice = "where such a word is a class, give it another name";
        parts.push(format!("rows without a label: {}, {advice}", few(unlabelled)));
    }
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|id| shown(id)).collect();
        parts.push(format!("rows without a file: {}{}", few(&names), hints::nearly(missing, known)));
    }
    if !rowless.is_empty() {
        parts.push(format!("files without a row: {}", few(rowless)));
    }
    if parts.is_empty() {
        return Ok(());
    }
    let message = format!("{csv}: {}", parts.join("; "));
    match policy {
        Policy::Stop => {
            Err(PluginError::data(format!("{message}; complete the files, or set dataset.options.unmatched to skip")))
        }
        Policy::Skip => {
            tracing::warn!("{message}; left out");
            Ok(())
        }
    }
}
