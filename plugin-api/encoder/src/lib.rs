//! What authors of encoder plugins see: the trait [`Encoder`], and `tch` in the version that the program computes with.
//!
//! Options and errors are those of [`selfsame_plugin_api`], which data sets use alone: it does not link libtorch.

mod encoder;
mod error;
mod export;
pub mod layers;
mod objects;
mod tensor;

pub use encoder::{
    Buffer, Encoder, EncoderCard, EncoderRequest, Parameter, ParameterKind, SmallStem, Stem, Suits, TimmForm,
};
pub use error::{EncoderError, Result};
pub use selfsame_plugin_api::{self, option_specs, parse_options, read_options, OptionSpec};
pub use tch;
#[doc(hidden)]
pub use tensor::{borrow_tensor, own_tensor, take_tensor};

/// The libtorch that this SDK's tch is bound to.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// What the expansion of [`export_plugin!`] names.
#[doc(hidden)]
pub mod __private {
    pub use crate::objects::{encoder_functions, EncoderEntry};
    /// [`LIBTORCH_VERSION`](crate::LIBTORCH_VERSION) as JSON.
    pub const LIBTORCH: &str = "\"2.11.0\"";
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_manifest_names_the_same_libtorch() {
        assert_eq!(crate::__private::LIBTORCH, format!("{:?}", crate::LIBTORCH_VERSION));
    }
}
