//! By what several processes exchange tensors: Gloo, through the host's memory, or NCCL, from GPU to GPU.

use crate::config::schema::Collectives;
use crate::error::Error;
use crate::native::c10d;
use crate::native::driver::driver;
use crate::world::World;
use selfsame_plugin_api::ErrorKind;
use std::collections::BTreeMap;
use tch::Device;

/// By what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Through the host's memory.
    Gloo,
    /// From GPU to GPU.
    Nccl,
}

/// Lets the processes exchange tensors of their devices by NCCL, where `train.collectives` wants it and it can be; by Gloo
/// otherwise. All have to call it, with the same wish.
///
/// # Errors
/// NCCL was asked for and cannot be, or does not start; a process that is gone.
pub fn choose(world: &World, wish: Collectives, own: Device) -> Result<Exchange, Error> {
    if world.size() == 1 {
        return Ok(Exchange::Gloo);
    }
    let obstacle = match wish {
        Collectives::Gloo => Some("`train.collectives` is `gloo`".to_owned()),
        _ => obstacle(&world.told_by_all("the GPU of each", &card(own))?),
    };
    if let Some(why) = obstacle {
        if wish == Collectives::Nccl {
            return Err(Error::configuration(format!(
                "`train.collectives` is `nccl`, but {why}; expected `gloo`, or `auto`, which takes NCCL where it can"
            )));
        }
        if own.is_cuda() && world.is_first() {
            tracing::info!("tensors are exchanged by Gloo, through the host's memory: {why}");
        }
        return Ok(Exchange::Gloo);
    }
    if world.is_first() {
        tracing::info!("tensors are exchanged by NCCL, from GPU to GPU");
    }
    world.use_nccl().map_err(|error| Error::Failed {
        kind: ErrorKind::Device,
        message: format!("NCCL cannot be started: {error}; `train.collectives=gloo` does without it"),
    })?;
    Ok(Exchange::Nccl)
}

/// The GPU that a process computes on, told from all others of all machines; or what the process lacks for NCCL.
fn card(own: Device) -> Result<String, String> {
    let Device::Cuda(index) = own else {
        return Err("computes on the CPU, and NCCL exchanges between GPUs".to_owned());
    };
    if !c10d::has_nccl() {
        return Err("has a libtorch whose CUDA half has no NCCL".to_owned());
    }
    let cards = driver().map(|driver| driver.map_or_else(Vec::new, |driver| driver.cards));
    let unknown = |why: &str| format!("cannot tell its GPU from those of others: {why}");
    let card = cards.map_err(|why| unknown(&why))?.into_iter().nth(index);
    card.map(|card| card.uuid).ok_or_else(|| unknown(&format!("the driver has no GPU {index}")))
}

/// Why the processes, each with what [`card`] says of it, cannot exchange tensors by NCCL.
fn obstacle(cards: &[Result<String, String>]) -> Option<String> {
    let mut owners = BTreeMap::new();
    cards.iter().enumerate().find_map(|(rank, card)| match card {
        Err(why) => Some(format!("process {rank} {why}")),
        Ok(card) => owners
            .insert(card, rank)
            .map(|other| format!("NCCL wants a GPU for each process, and processes {other} and {rank} share one")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nccl_wants_a_gpu_for_each_process_wherever_it_sees_it() {
        let card = |name: &str| Ok(name.to_owned());
        assert_eq!(obstacle(&[card("GPU-a"), card("GPU-b"), card("GPU-c")]), None);
        let shared = obstacle(&[card("GPU-a"), card("GPU-b"), card("GPU-a")]).unwrap();
        assert!(shared.ends_with("a GPU for each process, and processes 0 and 2 share one"), "{shared}");
        let lacks = obstacle(&[card("GPU-a"), super::card(Device::Cpu)]).unwrap();
        assert_eq!(lacks, "process 1 computes on the CPU, and NCCL exchanges between GPUs");
    }
}
