//! What can be wrong with a configuration.

use super::origin::Origin;
use std::fmt;

/// The most problems that one message lists.
const LISTED: usize = 10;

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A key that the schema does not have.
    #[error("`{key}`{} ({origin}): unknown key{hint}", assigned(.value))]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// What it was set to, where that is short.
        value: Option<String>,
        /// Where it was set.
        origin: Origin,
        /// What was probably meant, or nothing.
        hint: String,
    },
    /// A value of the wrong type, or one that cannot be.
    #[error("`{key}` = {value} ({origin}): expected {expected}")]
    Value {
        /// The dotted key.
        key: String,
        /// The value, as it was written.
        value: String,
        /// Where it was set.
        origin: Origin,
        /// What would be right.
        expected: String,
    },
    /// A file, variable or flag that cannot be read at all.
    #[error("{origin}: {message}")]
    Source {
        /// The file, variable or flag.
        origin: Origin,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A key that was asked about and does not exist.
    #[error("`{key}`: unknown key{hint}")]
    NoSuchKey {
        /// The dotted key.
        key: String,
        /// What was probably meant, or nothing.
        hint: String,
    },
    /// A configuration that cannot be turned into text or back, such as a path that is not UTF-8.
    #[error("the configuration cannot be converted: {0}")]
    Conversion(String),
}

/// ` = value`, or nothing.
fn assigned(value: &Option<String>) -> String {
    value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default()
}

/// Everything wrong with a configuration; each problem is one line of the message.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// The problems, in the order of the layers; never empty.
    pub problems: Vec<Problem>,
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "{only}"),
            problems => {
                write!(f, "{} problems in the configuration:", problems.len())?;
                for problem in problems.iter().take(LISTED) {
                    write!(f, "\n  {problem}")?;
                }
                if problems.len() > LISTED {
                    write!(f, "\n  and {} more", problems.len() - LISTED)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {}
