//! `selfsame train --dry-run`: what a run would be, without one.

use super::failure::Failure;
use super::open;
use crate::config::Config;
use crate::config::Resolved;
use crate::home;
use crate::memory;
use crate::native;
use crate::output::bars::readable;
use crate::output::host_services::HostServices;
use crate::plugin::Registry;
use crate::run::traces::holds_run;
use crate::train::rehearsal::{self, Rehearsal};
use crate::train::signals::Stop;
use indicatif::{DecimalBytes, HumanCount, MultiProgress};
use std::fmt::Write;
use std::time::Duration;
use tch::Device;

/// Measures some steps, and says what the run would be.
pub fn dry_run(resolved: &Resolved, registry: &Registry, bars: &MultiProgress) -> Result<String, Failure> {
    let config = &resolved.config;
    let stop = Stop::install()?;
    let stopped = || stop.requested().is_some();
    let services = HostServices::new(bars, &stopped);
    let measured = rehearsal::rehearse(config, registry, &services, &stop);
    let measured = measured.map_err(|error| open::naming_path(resolved, Failure::from(error).signalled(&stop)))?;
    services.clear();
    Ok(text(config, &measured))
}

fn text(config: &Config, measured: &Rehearsal) -> String {
    let mut text = "A dry run: nothing was written.\n".to_owned();
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "  {name:<12}{what}");
    };
    let (device, free) = match measured.device {
        Device::Cuda(index) => (format!("cuda:{index}"), native::cuda_free(index).ok()),
        _ => ("cpu".to_owned(), memory::available().map(|bytes| bytes as u64)),
    };
    line("device", format!("{device}, {}", measured.precision));
    for (label, splits) in &measured.data_sets {
        let splits: Vec<_> =
            splits.iter().map(|(split, count)| format!("{} {}", split.name(), HumanCount(*count as u64))).collect();
        line("data set", format!("{label}: {}", splits.join(", ")));
    }
    let [channels, height, width] = measured.input;
    line("images", format!("{channels} channels of {height} × {width} pixels"));
    let train = &config.train;
    line(
        "encoder",
        format!(
            "{} with {} parameters, {} features",
            train.self_supervision.encoder_name,
            HumanCount(measured.parameters as u64),
            measured.feature_dim
        ),
    );
    line("method", train.self_supervision.method.to_string());
    let left_out = match measured.left_out {
        0 => String::new(),
        images => format!("; {images} images fill no batch and are left for another epoch"),
    };
    let plan = measured.plan;
    line(
        "steps",
        format!(
            "{} an epoch of batch {}{left_out}; {} epochs, {} steps",
            plan.steps_per_epoch,
            train.batch_size,
            plan.epochs,
            HumanCount(plan.steps_per_epoch * plan.epochs)
        ),
    );
    let estimate = measured.estimate(config);
    let time = |seconds: f64| readable(Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX));
    line(
        "time",
        format!(
            "about {}: {} for steps of {:.2} s, {} for scores, at most {} for reading the images once",
            time(estimate.total()),
            time(estimate.training),
            measured.step,
            time(estimate.scoring),
            time(estimate.reading)
        ),
    );
    let taken = measured.memory.map(|bytes| format!("{} were taken by the steps", DecimalBytes(bytes)));
    let free = free.map(|bytes| format!("{} are free now", DecimalBytes(bytes)));
    let pixels =
        Some(format!("{} are all images, decoded (on disk where they do not fit)", DecimalBytes(measured.pixels)));
    line("memory", [taken, pixels, free].into_iter().flatten().collect::<Vec<_>>().join("; "));
    let folder = &train.output_dir;
    let state = match holds_run(folder) {
        true => "holds a run already: continue it with --resume, or name another one with --output-dir",
        false => "would be made by the run",
    };
    line("folder", format!("{} {state}", home::absolute(folder).display()));
    text
}
