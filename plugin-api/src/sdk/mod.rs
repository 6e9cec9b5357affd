//! The plugin's side of the boundary: plain traits in, ABI objects out.

mod dataset;
#[cfg(feature = "encoder")]
mod encoder;
mod guard;
mod log;
mod module;
#[cfg(feature = "encoder")]
mod tensor;

#[cfg(feature = "encoder")]
pub use encoder::{encoder_functions, EncoderEntry, HostOperations};
#[cfg(feature = "encoder")]
pub use guard::{lacks_memory, without_backtrace};
pub use module::{root_module, DatasetEntry, EncoderFunctions, NO_ENCODERS};
#[cfg(feature = "encoder")]
pub use tensor::{borrow_tensor, lent_tensor, own_tensor, take_tensor};
