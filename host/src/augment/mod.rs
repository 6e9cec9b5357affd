//! Random views of a batch of images, and the deterministic view for evaluation.
//!
//! Every random operation has a file: its settings with their keys, `draw`, which makes one sample's parameters out of
//! its random numbers, `apply`, which computes a batch as tensor operations with per-sample parameters, the same on every
//! device, and the [`Operation`] that joins them. To draw needs no image, so that a thread does it while a device still
//! computes with the batch before.

mod clahe;
pub mod color_jitter;
pub mod describe;
pub mod draw;
pub mod elastic;
pub mod gamma;
pub mod gaussian_blur;
pub mod gaussian_noise;
mod geometry;
pub mod grayscale;
mod histogram;
mod histogram_equalization;
pub mod normalize;
mod operation;
pub mod random_affine;
pub mod random_erasing;
pub mod random_horizontal_flip;
mod recipe;
pub mod resized_crop;
pub mod solarize;
mod views;
pub mod warp;

pub use draw::{Purpose, ViewKey};
pub use operation::{Apply, Misfit, Operation};
pub use views::{Drawn, Statistics, Views, statistics_for};

use crate::config::schema::ViewError;
use crate::data::{self, Depth};
use crate::native::NativeError;
use selfsame_plugin_api::{ErrorKind, without_backtrace};
use tch::{Device, Kind, TchError, Tensor};

/// Views cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AugmentError {
    /// A setting does not go with the images.
    #[error("{key}: {message}")]
    Setting {
        /// The configuration's key.
        key: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// The images are not what the views were made for.
    #[error("augmentation: {0}")]
    Images(String),
    /// libtorch refused an operation.
    #[error("augmentation: libtorch: {0}")]
    Torch(String),
    /// libtorch refused an operation of the C++ shim.
    #[error("augmentation: {0}")]
    Native(#[from] NativeError),
}

impl AugmentError {
    /// Whose mistake it is; the exit code follows from it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::Configuration,
            Self::Images(_) => ErrorKind::Data,
            Self::Torch(_) | Self::Native(_) => ErrorKind::Device,
        }
    }
}

impl From<ViewError> for AugmentError {
    fn from(error: ViewError) -> Self {
        Self::Setting { key: error.section.clone(), message: error.to_string() }
    }
}

impl From<TchError> for AugmentError {
    fn from(e: TchError) -> Self {
        Self::Torch(without_backtrace(&e.to_string()))
    }
}

/// The result of an augmentation.
pub type Result<T> = std::result::Result<T, AugmentError>;

/// The value that stands for 1 in pixels of this kind.
fn full_scale(kind: Kind) -> Result<f64> {
    let depth = Depth::of_pixels(kind);
    let depth = depth.ok_or_else(|| AugmentError::Images(format!("expected uint8 or int32 pixels, got {kind:?}")))?;
    Ok(depth.full_scale())
}

/// Copies parameters to `device` without waiting for what it is computing.
fn upload(values: &[f32], device: Device) -> Result<Tensor> {
    Ok(data::upload(&Tensor::f_from_slice(values)?, device)?)
}

/// The positions in a batch at which `on` holds, as numbers to upload.
fn positions<T>(samples: &[T], on: impl Fn(&T) -> bool) -> Vec<f32> {
    samples.iter().enumerate().filter(|(_, sample)| on(sample)).map(|(i, _)| i as f32).collect()
}

/// Replaces `images[index]` by `change(images[index])`; `index` holds float numbers.
fn change_some(images: &mut Tensor, index: &Tensor, change: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<()> {
    let index = index.f_to_kind(Kind::Int64)?;
    let changed = change(images.f_index_select(0, &index)?)?;
    let _ = images.f_index_copy_(0, &index, &changed)?;
    Ok(())
}
