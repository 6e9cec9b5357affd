//! Tensors that can be put back.

use super::Result;
use crate::native::lists::foreach_copy_;
use selfsame_encoder_api::Buffer;
use tch::{Device, Kind, Tensor};

/// Room for a copy of some tensors, such as the running statistics that a forward pass moves.
pub struct Snapshot {
    groups: Vec<Group>,
}

/// The tensors of one kind on one device, and their copies.
struct Group {
    alike: (Kind, Device),
    tensors: Vec<Tensor>,
    copies: Vec<Tensor>,
}

impl Snapshot {
    /// A copy of `buffers` as they are.
    ///
    /// # Errors
    /// Anything libtorch refuses, such as a full device.
    pub fn new(buffers: Vec<Buffer>) -> Result<Self> {
        let mut groups: Vec<Group> = Vec::new();
        for Buffer { tensor, .. } in buffers {
            let copy = tensor.f_detach()?.f_empty_like()?;
            let alike = (tensor.kind(), tensor.device());
            match groups.iter_mut().find(|group| group.alike == alike) {
                Some(group) => {
                    group.tensors.push(tensor);
                    group.copies.push(copy);
                }
                None => groups.push(Group { alike, tensors: vec![tensor], copies: vec![copy] }),
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
        self.groups.iter_mut().try_for_each(|group| Ok(foreach_copy_(&mut group.copies, &group.tensors)?))
    }

    /// Puts the tensors back to what they were when they were last copied.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn restore(&mut self) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        self.groups.iter_mut().try_for_each(|group| Ok(foreach_copy_(&mut group.tensors, &group.copies)?))
    }
}
