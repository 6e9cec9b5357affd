//! Encoded images, PNG, JPEG, TIFF, WebP and BMP, and arrays of NumPy, as what a data set answers: EXIF's orientation is applied,
//! alpha laid over black, and channels and depth are those of a [`Form`]. The format is told from the content. Images that are
//! neither grey nor coloured keep their channels, as many as they have.
//!
//! ```no_run
//! use selfsame_plugin_api::{images, Image, Result};
//! use std::path::Path;
//!
//! fn leaf(path: &Path) -> Result<Image> {
//!     images::read_file(path, &images::Form::new(3, 8))
//! }
//! ```

mod content;
mod decode;
mod form;
mod numpy_image;
mod orientation;
mod pixels;
mod raw;
mod tiff_file;
mod tiff_pages;
mod tiff_tiles;
mod values;

pub use content::{Content, FIRST, FORMATS};
pub use decode::{
    extent, extent_bytes, header, header_bytes, is_flat, is_flat_bytes, is_grey, is_grey_bytes, read, read_bytes,
    Header, VERSION,
};
pub use form::{Form, Layout, Pages, Range, MAX_PIXELS};
pub use pixels::{Alpha, Shape};
pub use values::Kind;

use crate::{Image, PluginError, Result};
use std::path::Path;

/// As [`read`], with an error that names the file.
///
/// # Errors
/// Why the image cannot be read.
pub fn read_file(path: &Path, form: &Form) -> Result<Image> {
    read(path, form).map_err(|cause| PluginError::data(format!("{}: {cause}", path.display())))
}
