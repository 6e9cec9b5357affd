//! What the stages from `samples` on return: what failed and by whose mistake, or that a signal ended the run.

use crate::augment::AugmentError;
use crate::config::ConfigError;
use crate::data::DataError;
use crate::device::DeviceError;
use crate::model;
use crate::native::NativeError;
use crate::plugin::PluginFailure;
use crate::storage::FileError;
use crate::world::WorldError;
use selfsame_encoder_api::EncoderError;
use selfsame_plugin_api::{ErrorKind, PluginError, lacks_memory};

/// An error of any stage, by whose mistake it is, or the user's wish to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something failed; nothing that was saved is lost.
    #[error("{message}")]
    Failed {
        /// Whose mistake it is.
        kind: ErrorKind,
        /// Names the thing, says what was expected and what to do.
        message: String,
    },
    /// A signal ended the run after its state was saved.
    #[error("stopped by a signal after step {step}; the state is saved, continue with `--resume`")]
    Stopped {
        /// 129, 130 or 143.
        code: u8,
        /// Steps done.
        step: u64,
    },
}

impl Error {
    /// A value that the user wrote does not work.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::Failed { kind: ErrorKind::Configuration, message: message.into() }
    }

    /// Where memory was short in a pass of so many images: with the number to try.
    pub fn in_pass_of(self, images: usize) -> Self {
        match self {
            Self::Failed { kind: ErrorKind::Device, message } if lacks_memory(&message) && images > 2 => {
                let (kind, fewer) = (ErrorKind::Device, images / 2);
                let message = format!(
                    "{message}; {images} images went through the network at once, try `train.micro_batch_size={fewer}`"
                );
                Self::Failed { kind, message }
            }
            other => other,
        }
    }

    /// Files that are missing, damaged or cannot be written.
    pub fn data(message: impl Into<String>) -> Self {
        Self::Failed { kind: ErrorKind::Data, message: message.into() }
    }
}

/// Errors that know whose mistake they are.
macro_rules! with_kind {
    ($($error:ty => $kind:expr),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                let kind: fn(&$error) -> ErrorKind = $kind;
                Self::Failed { kind: kind(&error), message: error.to_string() }
            }
        })*
    };
}

with_kind! {
    ConfigError => |_| ErrorKind::Configuration,
    DataError => |error| error.kind,
    NativeError => |_| ErrorKind::Device,
    WorldError => |_| ErrorKind::Device,
    PluginError => |error| error.kind,
    PluginFailure => |error| error.kind(),
    AugmentError => |error| error.kind(),
    FileError => |_| ErrorKind::Data,
    DeviceError => |error| match error {
        DeviceError::Name(_) | DeviceError::SameForAll(_) => ErrorKind::Configuration,
        _ => ErrorKind::Device,
    },
    model::Error => |error| error.kind(),
    std::io::Error => |_| ErrorKind::Data,
}

impl From<EncoderError> for Error {
    fn from(error: EncoderError) -> Self {
        PluginError::from(error).into()
    }
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        model::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_memory_names_half_of_the_images_that_were_too_many() {
        let of = |message: &str| Error::Failed { kind: ErrorKind::Device, message: message.into() };
        let advised = |message: &str, images: usize| of(message).in_pass_of(images).to_string();
        let full = advised("CUDA out of memory", 48);
        assert!(
            full.ends_with("48 images went through the network at once, try `train.micro_batch_size=24`"),
            "{full}"
        );
        assert_eq!(advised("CUDA out of memory", 2), "CUDA out of memory", "fewer than two are no batch");
        assert_eq!(advised("CUDA error: launch failure", 48), "CUDA error: launch failure");
    }
}
