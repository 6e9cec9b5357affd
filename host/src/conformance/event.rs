//! What is told of a check while it goes on, so that whoever hears it knows where the plugin ended the process.

use super::Verdict;
use crate::plugin::Moment;
use serde::{Deserialize, Serialize};

/// A piece of news; one line of JSON between the process that checks and the one that watches it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The plugin is known.
    Plugin {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// The data sets and encoders that are checked, in order.
        subjects: Vec<String>,
    },
    /// A check begins.
    Check {
        /// `data set NAME` or `encoder NAME`.
        subject: String,
        /// What is checked.
        check: String,
    },
    /// Something becomes of a call into the plugin.
    Call {
        /// What was called.
        method: String,
        /// What becomes of it.
        moment: Moment,
    },
    /// A check has ended.
    Verdict(Verdict),
    /// All is checked.
    Finished,
}
