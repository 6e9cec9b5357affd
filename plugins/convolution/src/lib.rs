//! Convolution and batch normalisation with torchvision's names and initialisation, for the encoders that share them.

mod batch_norm;
mod conv;

pub use batch_norm::BatchNorm2d;
pub use conv::{Conv2d, Fan};
