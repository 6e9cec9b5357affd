//! By what several processes exchange tensors, and how fast.

use super::Line;
use crate::config::schema::Collectives;
use crate::device;
use crate::error::Error;
use crate::native::c10d;
use crate::train::exchange::{self, Exchange};
use crate::world::World;
use std::time::{Duration, Instant};
use tch::{Kind, Tensor};

/// Numbers that are summed at once, float32: 64 MiB, more than two buckets of gradients.
const NUMBERS: i64 = 16 << 20;
const ROUNDS: u32 = 5;
/// How long the others are waited for.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// Of a process by itself: what there would be.
pub(super) fn line() -> Line {
    let found = match (device::gpu_count(), c10d::has_nccl()) {
        (0, _) => "Gloo, between processes on CPUs",
        (_, true) => "NCCL between GPUs, Gloo elsewhere",
        (_, false) => "Gloo, through the host's memory: this libtorch has no NCCL",
    };
    Line::good("collectives", format!("{found}; `selfsame doctor --processes 2` measures them"))
}

/// Of one of several, all of which have to call it.
///
/// # Errors
/// No device, and processes that are gone or do not answer.
pub(super) fn measured(world: &World) -> Result<Line, Error> {
    let device = device::select_own("auto", world.local_ranks())?.device;
    let by = match exchange::choose(world, Collectives::Auto, device)? {
        Exchange::Nccl => "NCCL",
        Exchange::Gloo => "Gloo",
    };
    let mut numbers = Tensor::f_zeros([NUMBERS], (Kind::Float, device))?;
    let mut sum = || -> Result<(), Error> {
        world.sum(&mut numbers)?;
        // A GPU may still be at it.
        numbers.f_double_value(&[0])?;
        Ok(())
    };
    // The first one connects.
    sum()?;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        sum()?;
    }
    let seconds = started.elapsed().as_secs_f64() / f64::from(ROUNDS);
    let processes = world.size() as f64;
    let rate = 4.0 * NUMBERS as f64 * 2.0 * (processes - 1.0) / processes / seconds / 1e9;
    Ok(Line::good(
        "collectives",
        format!(
            "all-reduce of 64 MiB over {processes} processes by {by}: {:.0} ms, {rate:.2} GB/s each way",
            1e3 * seconds
        ),
    ))
}
