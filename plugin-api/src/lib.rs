//! The plugin boundary of selfsame, and the SDK that plugin authors see.
//!
//! A plugin is one dynamic library that provides any number of data sets and encoders. Authors implement the plain
//! Rust traits [`Dataset`] (with [`Samples`]) and [`Encoder`], and name them once in [`export_plugin!`]. What crosses
//! the boundary, panic catching and version checks are this crate's business.

mod dataset;
#[cfg(feature = "encoder")]
mod encoder;
mod error;
mod options;
mod services;

pub use dataset::{Card, Dataset, DatasetRequest, Image, Normalization, Samples, Split, Targets, Task};
#[cfg(feature = "encoder")]
pub use encoder::{Buffer, Encoder, EncoderCard, EncoderRequest, Parameter, ParameterKind, Stem};
pub use error::{ErrorKind, PluginError, Result};
pub use options::{OptionSpec, parse_options};
pub use services::{Cancelled, Services};
