//! By what several processes exchange tensors: Gloo, through the host's memory, or NCCL, from GPU to GPU.

use crate::config::schema::Collectives;
use crate::device;
use crate::error::Error;
use crate::native::c10d;
use crate::world::World;
use selfsame_plugin_api::ErrorKind;
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
/// otherwise. All have to call it.
///
/// # Errors
/// NCCL was asked for and cannot be, or does not start; a process that is gone.
pub fn choose(world: &World, wish: Collectives, own: Device) -> Result<Exchange, Error> {
    if world.size() == 1 {
        return Ok(Exchange::Gloo);
    }
    let (_, processes) = world.local_ranks();
    let obstacle = match wish {
        Collectives::Gloo => Some("`train.collectives` is `gloo`".to_owned()),
        _ => obstacle(own, processes, device::gpu_count, c10d::has_nccl),
    };
    let refused = |why: &str| {
        Error::configuration(format!(
            "`train.collectives` is `nccl`, but {why}; expected `gloo`, or `auto`, which takes NCCL where it can"
        ))
    };
    if let (Collectives::Nccl, Some(why)) = (wish, &obstacle) {
        return Err(refused(why));
    }
    // Where one cannot, none does.
    let lacks = || [i64::from(obstacle.is_some())];
    if world.agree(lacks)?.wait(lacks)? != [0] {
        let why = obstacle.as_deref().unwrap_or("another process cannot exchange by NCCL");
        if wish == Collectives::Nccl {
            return Err(refused(why));
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

/// Why a process that computes on `own`, one of so many on its machine, cannot exchange tensors by NCCL.
fn obstacle(own: Device, processes: usize, gpus: impl Fn() -> usize, has_nccl: impl Fn() -> bool) -> Option<String> {
    if !own.is_cuda() {
        return Some("this process computes on the CPU, and NCCL exchanges between GPUs".to_owned());
    }
    let gpus = gpus();
    if gpus < processes {
        return Some(format!("NCCL wants a GPU for each process, and this one sees {gpus} for {processes} processes"));
    }
    (!has_nccl()).then(|| "the CUDA half of libtorch that is loaded has no NCCL".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nccl_wants_a_gpu_for_each_process_and_a_library_that_has_it() {
        let said = |device, processes, gpus, has| obstacle(device, processes, || gpus, || has).unwrap_or_default();
        assert!(said(Device::Cpu, 2, 0, true).contains("on the CPU"));
        assert!(said(Device::Cuda(0), 2, 1, true).contains("sees 1 for 2 processes"));
        assert!(said(Device::Cuda(0), 2, 2, false).contains("has no NCCL"));
        for (processes, gpus) in [(2, 2), (1, 1), (2, 8)] {
            assert_eq!(said(Device::Cuda(0), processes, gpus, true), "");
        }
    }
}
