//! `selfsame train --profile N`: where the time of a step goes.

use super::failure::Failure;
use super::open;
use crate::config::Resolved;
use crate::output::host_services::HostServices;
use crate::plugin::Registry;
use crate::train::profile::{self, Profile};
use crate::train::signals::Stop;
use indicatif::{DecimalBytes, MultiProgress};
use std::fmt::Write;

/// Measures some steps, and says where their time went: a table, or JSON.
pub fn profile(
    resolved: &Resolved,
    registry: &Registry,
    bars: &MultiProgress,
    steps: usize,
    json: bool,
) -> Result<String, Failure> {
    let stop = Stop::install()?;
    let stopped = || stop.requested().is_some();
    let services = HostServices::new(bars, &stopped);
    let measured = profile::profile(&resolved.config, registry, &services, &stop, steps);
    let measured = measured.map_err(|error| open::naming_path(resolved, Failure::from(error).signalled(&stop)))?;
    services.clear();
    Ok(if json { format!("{:#}\n", serde_json::json!(measured)) } else { text(&measured) })
}

fn text(profile: &Profile) -> String {
    let Profile { device, precision, method, encoder, images, steps, .. } = profile;
    let mut text = format!(
        "{method} with {encoder}, steps of {images} images on {device} in {precision}; nothing was written.\n\n"
    );
    let staged: f64 = profile.stages.iter().map(|stage| stage.seconds).sum();
    let mut row = |name: &str, seconds: f64, calls: u64, flops: f64| {
        let rate = if flops > 0.0 { format!("{:.1}", flops / seconds / 1e9) } else { "-".to_owned() };
        let _ = writeln!(
            text,
            "  {name:<14}{:>10.2} ms{:>8.1} %{calls:>9}{:>10.2}{rate:>10}",
            seconds * 1e3,
            100.0 * seconds / staged,
            flops / 1e9
        );
    };
    let calls = profile.stages.iter().map(|stage| stage.calls).sum();
    profile.stages.iter().for_each(|stage| row(stage.name, stage.seconds, stage.calls, stage.flops));
    row("all, apart", staged, calls, profile.flops);
    let head =
        format!("  {:<14}{:>13}{:>10}{:>9}{:>10}{:>10}\n", "stage", "time", "share", "calls", "GFLOP", "GFLOP/s");
    text.insert_str(text.find("\n\n").map_or(0, |at| at + 2), &head);
    let peak = profile.peak_memory.map_or("-".to_owned(), |bytes| DecimalBytes(bytes).to_string());
    let called = profile.most_called.iter().map(|(name, calls)| format!("{name} {calls}"));
    let lines = [
        (
            "step",
            format!(
                "{:.2} ms, the median of {steps} with nothing waited for between the stages: {:.0} images/s",
                profile.seconds * 1e3,
                profile.images_per_s
            ),
        ),
        (
            "arithmetic",
            format!(
                "{:.1} GFLOP/s in matrix products, convolutions and attention, {:.0} % of the {:.1} GFLOP/s of a large matrix product here",
                profile.flops_per_s / 1e9,
                100.0 * profile.flops_per_s / profile.matrix_rate,
                profile.matrix_rate / 1e9
            ),
        ),
        ("memory", format!("{peak} at most")),
        ("most called", called.collect::<Vec<_>>().join(", ")),
    ];
    text.push('\n');
    for (name, what) in lines {
        let _ = writeln!(text, "  {name:<14}{what}");
    }
    text
}
