//! Where the time of a training step goes. Off, it costs a look at a thread's own flag.

use crate::native::operations;
use std::cell::RefCell;
use std::time::Instant;
use tch::{Device, Kind, TchError, Tensor};

/// The parts of a training step, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Until a batch is there.
    Data,
    /// Random views.
    Views,
    /// Networks, followers included.
    Forward,
    /// The method's loss.
    Loss,
    /// Gradients.
    Backward,
    /// Clipping, the update of the weights, moving averages and queues.
    Optimizer,
    /// The online head: its features, loss and update.
    Head,
}

/// All of them, with their names.
pub const STAGES: [(Stage, &str); 7] = [
    (Stage::Data, "wait for data"),
    (Stage::Views, "views"),
    (Stage::Forward, "forward"),
    (Stage::Loss, "loss"),
    (Stage::Backward, "backward"),
    (Stage::Optimizer, "optimizer"),
    (Stage::Head, "head"),
];

/// Seconds of each stage.
pub type Seconds = [f64; STAGES.len()];

struct Running {
    /// Read to wait for the device.
    probe: Tensor,
    stage: Option<Stage>,
    since: Instant,
    seconds: Seconds,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// From here on it is this stage.
///
/// # Errors
/// What the device refuses, while a stopwatch runs.
pub fn enter(stage: Stage) -> Result<(), TchError> {
    RUNNING.with_borrow_mut(|running| running.as_mut().map_or(Ok(()), |running| running.enter(Some(stage))))
}

/// Starts a stopwatch on this thread, which waits for `device` wherever a stage begins.
///
/// # Errors
/// What the device refuses.
pub fn start(device: Device) -> Result<(), TchError> {
    let probe = Tensor::f_zeros([1], (Kind::Float, device))?;
    let running = Running { probe, stage: None, since: Instant::now(), seconds: [0.0; STAGES.len()] };
    RUNNING.set(Some(running));
    Ok(())
}

/// Stops it: the seconds of each stage.
///
/// # Errors
/// What the device refuses.
pub fn stop() -> Result<Seconds, TchError> {
    let Some(mut running) = RUNNING.take() else { return Ok([0.0; STAGES.len()]) };
    running.enter(None)?;
    Ok(running.seconds)
}

impl Running {
    fn enter(&mut self, next: Option<Stage>) -> Result<(), TchError> {
        self.probe.f_double_value(&[0])?;
        let now = Instant::now();
        if let Some(stage) = self.stage {
            self.seconds[stage as usize] += now.duration_since(self.since).as_secs_f64();
        }
        (self.stage, self.since) = (next, now);
        if let Some(stage) = next {
            operations::enter(stage as usize);
        }
        Ok(())
    }
}
