//! What can go wrong while a model computes, learns or is restored.

use crate::augment::AugmentError;
use crate::data::DataError;
use crate::native::NativeError;
use crate::world::WorldError;
use selfsame_encoder_api::EncoderError;
use selfsame_plugin_api::{ErrorKind, PluginError, without_backtrace};
use tch::TchError;

/// The result of models, methods, optimisers and probes.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a computation could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The encoder's plugin refused.
    #[error(transparent)]
    Encoder(#[from] PluginError),
    /// libtorch refused; its message without the backtrace.
    #[error("libtorch: {0}")]
    Libtorch(String),
    /// Images cannot be made into views.
    #[error(transparent)]
    Views(#[from] AugmentError),
    /// Samples cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The processes that compute together cannot.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Saved state does not belong to what it is loaded into.
    #[error("saved state: {0}")]
    State(String),
    /// Tensors or values that do not fit together.
    #[error("{0}")]
    Input(String),
}

impl Error {
    /// Whose mistake it is; the exit code follows from it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Encoder(error) => error.kind,
            Self::Views(error) => error.kind(),
            Self::Data(error) => error.kind,
            Self::Libtorch(_) | Self::World(_) => ErrorKind::Device,
            Self::State(_) | Self::Input(_) => ErrorKind::Data,
        }
    }
}

impl From<EncoderError> for Error {
    fn from(error: EncoderError) -> Self {
        Self::Encoder(error.into())
    }
}

impl From<NativeError> for Error {
    fn from(error: NativeError) -> Self {
        Self::Libtorch(error.to_string().trim_start_matches("libtorch: ").to_owned())
    }
}

impl From<TchError> for Error {
    fn from(error: TchError) -> Self {
        let message = without_backtrace(&error.to_string());
        Self::Libtorch(message.trim_start_matches("Internal torch error: ").to_owned())
    }
}
