//! Who is told how a run goes.

use super::gallery::Gallery;
use crate::error::Error;
use std::collections::BTreeMap;

/// How the latest steps went.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// Optimiser steps done.
    pub step: u64,
    /// Epochs finished.
    pub epoch: usize,
    /// Mean loss of the latest steps.
    pub loss: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Images a second, each with all its views.
    pub images_per_s: f64,
    /// Share of the time spent on fetching images and making views, in [0, 1].
    pub data_wait: f64,
    /// What the method logged at the last step, by flat name.
    pub metrics: BTreeMap<String, f64>,
}

/// Records and shows what a run measures.
pub trait Observer {
    /// `within` steps of the epoch after `epoch` finished ones are done. Told at the start of an epoch and after every step,
    /// of which the device may still be computing some.
    fn step(&self, epoch: usize, within: usize);

    /// What goes on between steps: `done` of `total` pieces of `what`; a total of 0 stands for work that is not counted.
    fn phase(&self, what: &str, done: usize, total: usize);

    /// The latest steps.
    ///
    /// # Errors
    /// What is recorded cannot be written.
    fn steps(&mut self, report: &StepReport) -> Result<(), Error>;

    /// What was measured after an epoch, by flat name; epoch 0 is the untrained encoder.
    ///
    /// # Errors
    /// What is recorded cannot be written.
    fn epoch(&mut self, step: u64, epoch: usize, metrics: &BTreeMap<String, f64>) -> Result<(), Error>;

    /// What was measured of the trained encoder after the last epoch, by flat name.
    ///
    /// # Errors
    /// What is recorded cannot be written.
    fn trained(&mut self, step: u64, epoch: usize, metrics: &BTreeMap<String, f64>) -> Result<(), Error>;

    /// What the trained encoder's embeddings look like. Told once, before [`trained`](Observer::trained).
    ///
    /// # Errors
    /// What is recorded cannot be written.
    fn gallery(&mut self, _gallery: &Gallery) -> Result<(), Error> {
        Ok(())
    }

    /// The run has ended, whichever way, and its record is written.
    fn ended(&mut self) {}
}

/// Records and shows nothing: another process does.
pub struct Silent;

impl Observer for Silent {
    fn step(&self, _: usize, _: usize) {}

    fn phase(&self, _: &str, _: usize, _: usize) {}

    fn steps(&mut self, _: &StepReport) -> Result<(), Error> {
        Ok(())
    }

    fn epoch(&mut self, _: u64, _: usize, _: &BTreeMap<String, f64>) -> Result<(), Error> {
        Ok(())
    }

    fn trained(&mut self, _: u64, _: usize, _: &BTreeMap<String, f64>) -> Result<(), Error> {
        Ok(())
    }
}
