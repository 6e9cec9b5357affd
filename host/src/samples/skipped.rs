//! Samples that a run does without.

use crate::data::Damaged;
use std::collections::BTreeMap;

/// Samples that are skipped because they cannot be read, by part of the data.
pub type Skipped = BTreeMap<String, Vec<Damaged>>;
