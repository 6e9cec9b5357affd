//! Copies from the host that do not wait for what the device is computing.

use crate::native;
use tch::{Device, TchError, Tensor};

/// CUDA copies so many bytes aside before it returns; of more it may wait for the device, unless they are pinned.
const STAGED: usize = 1 << 16;

/// A tensor of the host on `device`, without a wait; a tensor of `device` itself, shared.
///
/// # Errors
/// A device without room.
pub fn upload(tensor: &Tensor, device: Device) -> Result<Tensor, TchError> {
    if tensor.device() == device {
        return Ok(tensor.shallow_clone());
    }
    let bytes = tensor.numel() * tensor.kind().elt_size_in_bytes();
    let pinned = (device.is_cuda() && bytes > STAGED).then(|| native::pinned(tensor)).transpose();
    let pinned = pinned.map_err(|error| TchError::Torch(error.to_string()))?;
    pinned.as_ref().unwrap_or(tensor).f_to_device_(device, tensor.kind(), true, false)
}
