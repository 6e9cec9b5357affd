//! What a plugin returns when something went wrong.

use serde::{Deserialize, Serialize};

/// The result of every call into a plugin.
pub type Result<T> = std::result::Result<T, PluginError>;

/// Whose mistake an error is; the host derives its exit code from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// An option or a value that the user wrote (exit code 2).
    Configuration,
    /// Files that are missing, damaged or not what was expected (exit code 3).
    Data,
    /// The device failed or ran out of memory (exit code 5).
    Device,
    /// The user asked to stop (exit code 130).
    Cancelled,
    /// The plugin answered what its contract does not allow, whatever the files hold (exit code 4).
    Contract,
    /// The plugin itself failed (exit code 4). Where this happens in [`Samples::read`](crate::Samples::read), it counts as
    /// that sample's fault: decoders meet strange files. So do kinds that are younger than the host.
    #[serde(other)]
    Plugin,
}

/// An error with the thing it is about, what was expected, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginError {
    /// Whose mistake it is.
    pub kind: ErrorKind,
    /// One or more sentences; names the file, the option or the sample index.
    pub message: String,
}

impl PluginError {
    /// A value that the user wrote is wrong; the message names the option and the expected values.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Configuration, message: message.into() }
    }

    /// A file is missing, damaged or unexpected; the message names it.
    pub fn data(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Data, message: message.into() }
    }

    /// The plugin failed for a reason that is not the user's.
    pub fn plugin(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Plugin, message: message.into() }
    }

    /// The plugin answered what its contract does not allow.
    pub fn contract(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Contract, message: message.into() }
    }

    /// The device failed or is out of memory.
    pub fn device(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Device, message: message.into() }
    }

    /// What libtorch refused, without its C++ backtrace; a lack of memory is the device's failure.
    pub fn libtorch(message: &str) -> Self {
        crate::sdk::refine(Self::plugin(message))
    }

    /// As it crosses the boundary.
    #[doc(hidden)]
    pub fn to_json(&self) -> String {
        // Two strings always serialise; the plain message is a readable substitute.
        serde_json::to_string(self).unwrap_or_else(|_| self.message.clone())
    }

    /// What crossed the boundary; text that is no JSON becomes the message.
    #[doc(hidden)]
    pub fn from_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|_| Self::plugin(json))
    }
}

impl std::fmt::Display for PluginError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PluginError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_younger_than_the_host_is_the_plugins() {
        let error = PluginError::from_json(r#"{"kind":"weather","message":"rain","since":"noon"}"#);
        assert_eq!(error, PluginError::plugin("rain"));
        let error = PluginError::contract("two images for one index");
        assert_eq!(PluginError::from_json(&error.to_json()), error);
    }
}
