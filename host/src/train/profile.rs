//! Where the time of a training step goes, and how near it comes to what the device can do.

use super::engine::Engine;
use super::observer::Silent;
use super::signals::Stop;
use super::trial::Trial;
use crate::config::Config;
use crate::error::Error;
use crate::native::operations::{Counting, Operation};
use crate::plugin::Registry;
use crate::stopwatch::{self, STAGES};
use crate::world::World;
use crate::{memory, native};
use selfsame_plugin_api::Services;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tch::{Device, Kind, TchError, Tensor};

/// Operators that are named.
const NAMED: usize = 10;

/// A training step, measured.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// `fp32`, `tf32`, `bf16` or `fp16`.
    pub precision: &'static str,
    /// The method's name.
    pub method: String,
    /// The encoder's name.
    pub encoder: String,
    /// Images of a step.
    pub images: usize,
    /// Steps that were timed, after one that was not.
    pub steps: usize,
    /// The median time of a step in seconds, nothing waited for within.
    pub seconds: f64,
    /// Images of a step by that time.
    pub images_per_s: f64,
    /// The parts of a step, in their order.
    pub stages: Vec<StageProfile>,
    /// Floating-point operations of a step's matrix products, convolutions and attention.
    pub flops: f64,
    /// These by the median time.
    pub flops_per_s: f64,
    /// What the device reaches in a large matrix product of the same precision, in operations a second.
    pub matrix_rate: f64,
    /// The most memory in bytes that was taken: of the device, where it is a GPU; none where the system does not say.
    pub peak_memory: Option<u64>,
    /// The operators that are called most in a step, with their calls.
    pub most_called: Vec<(String, u64)>,
}

/// A part of a step.
#[derive(Debug, Clone, Serialize)]
pub struct StageProfile {
    /// Its name.
    pub name: &'static str,
    /// Mean seconds, from and to a moment at which the device has nothing left to do.
    pub seconds: f64,
    /// Calls of libtorch's operators, views of tensors and operators called by others included.
    pub calls: u64,
    /// Floating-point operations.
    pub flops: f64,
}

/// Trains one step that is not timed, then `steps` as they are in a run, then as many with the stages apart, then one whose
/// operations are counted. Nothing is left behind.
///
/// # Errors
/// Whatever the stages before training refuse, and what a step refuses.
pub fn profile(
    config: &Config,
    registry: &Registry,
    services: &dyn Services,
    stop: &Stop,
    steps: usize,
) -> Result<Profile, Error> {
    let Trial { config: few, compute, data, views, method, head, .. } =
        Trial::open(config, registry, services, 2 * steps + 2)?;
    let mut silent = Silent;
    let (stop, world, device) = (stop.clone(), World::alone(), compute.device);
    let mut engine = Engine::new(&few, compute, &data, &views, method, head, None, &mut silent, stop, world)?;
    let mut took = engine.rehearse(1 + steps, services)?.split_off(1);
    took.sort_by(f64::total_cmp);
    let seconds = took[steps / 2];
    stopwatch::start(device)?;
    engine.rehearse(steps, services)?;
    let staged = stopwatch::stop()?;
    let peak_memory = match device {
        Device::Cuda(index) => Some(native::cuda_peak(index)?),
        _ => memory::peak().map(|bytes| bytes as u64),
    };
    stopwatch::start(device)?;
    let counting = Counting::begin()?;
    let counted = engine.rehearse(1, services);
    let operations = counting.finish()?;
    stopwatch::stop()?;
    counted?;

    let of = |stage: usize| operations.iter().filter(move |one| one.stage == stage);
    let stages = STAGES.iter().enumerate().map(|(number, (_, name))| StageProfile {
        name,
        seconds: staged[number] / steps as f64,
        calls: of(number).map(|one| one.calls).sum(),
        flops: of(number).map(|one| one.flops).sum(),
    });
    let flops: f64 = operations.iter().map(|one| one.flops).sum();
    let wanted = &config.train.self_supervision;
    Ok(Profile {
        device: match device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".to_owned(),
        },
        precision: compute.precision(config),
        method: wanted.method.to_string(),
        encoder: wanted.encoder_name.clone(),
        images: config.train.batch_size,
        steps,
        seconds,
        images_per_s: config.train.batch_size as f64 / seconds,
        stages: stages.collect(),
        flops,
        flops_per_s: flops / seconds,
        matrix_rate: matrix_rate(device, compute.autocast)?,
        peak_memory,
        most_called: most_called(&operations),
    })
}

fn most_called(operations: &[Operation]) -> Vec<(String, u64)> {
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    operations.iter().for_each(|one| *calls.entry(&one.name).or_default() += one.calls);
    let mut calls: Vec<_> = calls.into_iter().map(|(name, calls)| (name.to_owned(), calls)).collect();
    calls.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    calls.truncate(NAMED);
    calls
}

/// Floating-point operations a second in products of square matrices, the best of some rounds within about a second.
fn matrix_rate(device: Device, autocast: Option<Kind>) -> Result<f64, TchError> {
    const ROUNDS: usize = 6;
    const ENOUGH: Duration = Duration::from_secs(1);
    /// A product that is longer is large enough: one of twice the side takes eight times as long.
    const LONG: Duration = Duration::from_millis(200);
    let kind = autocast.unwrap_or(Kind::Float);
    let matrix = |side: i64| Tensor::f_full([side, side], 1.0 / side as f64, (kind, device));
    let largest = if device.is_cuda() { 4096 } else { 1024 };
    // The better of two, as the first product of a size may have to load what computes it.
    let product = |side| Ok::<_, TchError>(multiplied(&matrix(side)?, 1)?.min(multiplied(&matrix(side)?, 1)?));
    let mut side = 256;
    // A processor without instructions for a precision is many times slower in it.
    while side < largest && product(side)? < LONG {
        side *= 2;
    }
    let (matrix, begun, mut best) = (matrix(side)?, Instant::now(), 0.0_f64);
    for round in 0..ROUNDS {
        // The first round chooses kernels, and is short in case that the device is slow.
        let products = if round == 0 { 1 } else { 10 };
        let seconds = multiplied(&matrix, products)?.as_secs_f64();
        best = best.max((2 * side * side * side * products) as f64 / seconds);
        if begun.elapsed() > ENOUGH {
            break;
        }
    }
    Ok(best)
}

/// The time of so many products with a square matrix, one after the other.
fn multiplied(matrix: &Tensor, products: i64) -> Result<Duration, TchError> {
    let started = Instant::now();
    let mut product = matrix.shallow_clone();
    for _ in 0..products {
        product = product.f_mm(matrix)?;
    }
    // Waits for the device.
    product.f_double_value(&[0, 0])?;
    Ok(started.elapsed())
}
