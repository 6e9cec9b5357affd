//! Tensors that can be put back.

use super::Result;
use crate::native::foreach_copy_;
use selfsame_encoder_api::Buffer;
use tch::{Device, Kind, Tensor};

/// Room for a copy of some tensors, such as the running statistics that a forward pass moves.
pub struct Snapshot {
    /// Of each kind and device, the tensors and their copies.
    groups: Vec<((Kind, Device), Vec<Tensor>, Vec<Tensor>)>,
}

impl Snapshot {
    /// A copy of `buffers` as they are.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(buffers: Vec<Buffer>) -> Result<Self> {
        let mut groups: Vec<((Kind, Device), Vec<Tensor>, Vec<Tensor>)> = Vec::new();
        for Buffer { tensor, .. } in buffers {
            let copy = tensor.f_detach()?.f_empty_like()?;
            let group = (tensor.kind(), tensor.device());
            match groups.iter_mut().find(|(other, ..)| *other == group) {
                Some((_, tensors, copies)) => {
                    tensors.push(tensor);
                    copies.push(copy);
                }
                None => groups.push((group, vec![tensor], vec![copy])),
            }
        }
        let mut snapshot = Self { groups };
        snapshot.take()?;
        Ok(snapshot)
    }

    /// Copies the tensors as they are now.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn take(&mut self) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        self.groups.iter_mut().try_for_each(|(_, tensors, copies)| Ok(foreach_copy_(copies, tensors)?))
    }

    /// Puts the tensors back to what they were when they were last copied.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn restore(&mut self) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        self.groups.iter_mut().try_for_each(|(_, tensors, copies)| Ok(foreach_copy_(tensors, copies)?))
    }
}
