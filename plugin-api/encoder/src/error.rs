//! What an encoder returns when something went wrong.

use selfsame_plugin_api::PluginError;
use tch::TchError;

/// The result of every call into an encoder.
pub type Result<T> = std::result::Result<T, EncoderError>;

/// A [`PluginError`] that `?` also makes of what libtorch refuses, without the C++ backtrace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderError(PluginError);

impl EncoderError {
    /// An option or a value that the user wrote is wrong; the message names it and the expected values.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self(PluginError::configuration(message))
    }

    /// What the encoder was given is not what it expects.
    pub fn data(message: impl Into<String>) -> Self {
        Self(PluginError::data(message))
    }

    /// The encoder failed for a reason that is not the user's.
    pub fn plugin(message: impl Into<String>) -> Self {
        Self(PluginError::plugin(message))
    }
}

impl From<TchError> for EncoderError {
    fn from(error: TchError) -> Self {
        match error {
            TchError::Torch(message) => Self(PluginError::libtorch(&message)),
            other => Self(PluginError::plugin(other.to_string())),
        }
    }
}

impl From<PluginError> for EncoderError {
    fn from(error: PluginError) -> Self {
        Self(error)
    }
}

impl From<EncoderError> for PluginError {
    fn from(error: EncoderError) -> Self {
        error.0
    }
}

impl std::fmt::Display for EncoderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for EncoderError {}
